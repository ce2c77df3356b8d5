"""`python -m jenkins_kaniko` is the installed command."""

from jenkins_kaniko.cli import main

main()
