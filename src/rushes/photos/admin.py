"""Photos in Django's admin: looked at, tried again, deleted with their files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from . import intake
from .models import Photo, PhotoStatus, group_of

if TYPE_CHECKING:  # the stubs know what Django's own classes do not: of which model
    _PhotoAdmin = admin.ModelAdmin[Photo]
    _PhotoForm = ModelForm[Photo]
else:
    _PhotoAdmin = admin.ModelAdmin
    _PhotoForm = ModelForm


@admin.register(Photo)
class PhotoAdmin(_PhotoAdmin):
    """Photos with their state."""

    list_display = ("__str__", "owner", "status", "visibility", "error", "created_at", "links")
    list_filter = ("status", "visibility")
    search_fields = ("title", "public_id", "external_ref", "original_name", "owner__username")
    list_select_related = ("owner",)
    list_per_page = 50
    raw_id_fields = ("owner",)
    readonly_fields = (
        "links", "public_id", "status", "error", "warnings", "original_name", "source", "source_bytes", "format",
        "width", "height", "key", "pictures", "created_at", "ready_at",
    )  # fmt: skip
    fields = ("title", "description", "visibility", "owner", "external_ref", *readonly_fields)
    actions = ("try_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Photos are uploaded, not typed."""
        return False

    @admin.display(description="go to")
    def links(self, photo: Photo) -> str:
        """Where it is shown, and the jobs for it."""
        jobs = reverse("admin:jobs_job_changelist", query={"group": group_of(photo.pk)})
        return format_html('<a href="/p/{}/">page</a> <a href="{}">jobs</a>', photo.public_id, jobs)

    @admin.action(description="Try failed photos again", permissions=["change"])
    def try_again(self, request: HttpRequest, photos: QuerySet[Photo]) -> None:
        """Begin again with those that failed."""
        begun = 0
        for photo in photos.filter(status=PhotoStatus.FAILED):
            try:
                intake.retry_photo(photo)
                begun += 1
            except intake.SourceGone as error:
                self.message_user(request, f"{photo}: {error}", messages.WARNING)
        self.message_user(request, f"{begun} begun again.", messages.SUCCESS if begun else messages.WARNING)

    def save_model(self, request: HttpRequest, obj: Photo, form: _PhotoForm, change: bool) -> None:
        """Only what was edited: a worker writes the other fields meanwhile."""
        obj.save(update_fields=[*form.changed_data, "updated_at"])

    def get_deleted_objects(
        self, objs: Iterable[Photo], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What to confirm."""
        photos = [str(photo) for photo in objs]
        return photos, {str(Photo._meta.verbose_name_plural): len(photos)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Photo) -> None:
        """Jobs and files go, too."""
        intake.delete_photo(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Photo]) -> None:
        """Jobs and files go, too."""
        for photo in queryset:
            intake.delete_photo(photo)
