"""A photo, and the sizes that were made of it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from rushes.videos.models import Visibility, new_public_id


class PhotoStatus(models.TextChoices):
    """pending -> processing -> ready | failed."""

    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


def group_of(photo_id: int) -> str:
    """What the ledger calls the jobs of a photo; never the number of a video."""
    return f"photo:{photo_id}"


class Photo(models.Model):
    """What somebody uploaded. Its files are below `images/photos/<primary key>/<key>/`."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    # Protected, as of a video: rows that go with their user would leave files behind. Delete the photos first.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="photos"
    )
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE)
    external_ref = models.CharField(max_length=200, blank=True, default="", db_index=True)
    title = models.CharField(max_length=200, blank=True, default="")
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=PhotoStatus.choices, default=PhotoStatus.PENDING)
    error = models.TextField(blank=True, default="")  # a sentence for the uploader
    warnings = models.JSONField(default=list, blank=True)
    # The source as the store names it: never a name that a user gave. Empty where it is not kept any more.
    source = models.CharField(max_length=200, blank=True, default="")
    source_bytes = models.BigIntegerField(default=0)
    original_name = models.CharField(max_length=255, blank=True, default="")  # only ever shown
    format = models.CharField(max_length=8, blank=True, default="")  # JPEG, HEIF ...
    width = models.IntegerField(null=True, blank=True)  # of the source, upright
    height = models.IntegerField(null=True, blank=True)
    key = models.CharField(max_length=64, blank=True, default="")  # the folder of its pictures
    # The largest first: long_px, width, height, webp_bytes, jpeg_bytes.
    pictures = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=PhotoStatus.values), name="photo_status_known"),
            models.CheckConstraint(
                condition=Q(visibility__in=Visibility.values), name="photo_visibility_known"
            ),
            models.CheckConstraint(
                condition=~Q(status=PhotoStatus.READY) | (Q(ready_at__isnull=False) & ~Q(key="")),
                name="photo_ready_has_pictures",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.original_name or self.public_id
