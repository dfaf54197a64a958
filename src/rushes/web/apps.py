"""The room's Django application."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Pages, templates and the built front end."""

    name = "rushes.web"
    label = "rushes_web"
    verbose_name = "Pages"
