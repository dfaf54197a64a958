"""The Celery application: `celery -A rushes.config worker` runs the ledger's jobs where RUSHES_DELIVERY is celery."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "rushes.config.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

if settings.RUSHES_DELIVERY != "celery":
    raise ImproperlyConfigured(
        f"RUSHES_DELIVERY is {settings.RUSHES_DELIVERY}: nothing would be sent to Celery. Set RUSHES_DELIVERY=celery."
    )

import django

django.setup()

from rushes.jobs.delivery.celery import app  # noqa: E402

__all__ = ["app"]
