"""The Django application of videos."""

from django.apps import AppConfig


class VideosConfig(AppConfig):
    """Videos and what was made of them."""

    name = "rushes.videos"
    label = "videos"
    default_auto_field = "django.db.models.BigAutoField"
