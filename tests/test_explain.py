"""What is said of failures: the vectors that Groovy must yield too, and the logs of whole Jenkins builds."""

from __future__ import annotations
