"""LongTask: long work on Kubernetes that can be suspended and trusted to go on where it stopped."""

__version__ = "0.1.0"
