"""The Django application of photos."""

from django.apps import AppConfig


class PhotosConfig(AppConfig):
    """Photos and what was made of them."""

    name = "rushes.photos"
    label = "photos"
    default_auto_field = "django.db.models.BigAutoField"
