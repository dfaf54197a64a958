"""The Django application of operation: its commands."""

from django.apps import AppConfig


class OpsConfig(AppConfig):
    """Commands for whoever runs Rushes."""

    name = "rushes.ops"
    label = "ops"
