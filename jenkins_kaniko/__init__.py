"""Container images from Jenkins on Kubernetes without a Docker daemon."""

__version__ = "0.1.0"
