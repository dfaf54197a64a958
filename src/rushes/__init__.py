"""Rushes takes any video and makes it watchable everywhere, starting seconds after the upload."""

__version__ = "0.1.0"
