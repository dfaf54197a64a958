"""The Django application of the ledger."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Jobs, their logs, and the workers that run them."""

    name = "rushes.jobs"
    label = "jobs"
    default_auto_field = "django.db.models.BigAutoField"
