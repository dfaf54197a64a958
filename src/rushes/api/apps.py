"""The Django application of the API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The HTTP API of videos."""

    name = "rushes.api"
    label = "api"
