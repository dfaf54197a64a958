"""Videos and encodes in Django's admin. Here and not in `videos`: its actions ask the pipeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from rushes.pipeline import intake
from rushes.videos.models import Chunk, Encode, Rendition, Video, VideoStatus

if TYPE_CHECKING:  # the stubs know what Django's own classes do not: of which model
    _Admin = admin.ModelAdmin[Any]
    _VideoAdmin = admin.ModelAdmin[Video]
    _VideoForm = ModelForm[Video]
    _EncodeInline = admin.TabularInline[Encode, Video]
    _RenditionInline = admin.TabularInline[Rendition, Encode]
else:
    _Admin = _VideoAdmin = admin.ModelAdmin
    _EncodeInline = _RenditionInline = admin.TabularInline
    _VideoForm = ModelForm

MOST_SHOWN = 100


class ReadOnly(_Admin):
    """What the pipeline writes is looked at, not edited."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """See ModelAdmin."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See ModelAdmin."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See ModelAdmin."""
        return False


class EncodeInline(_EncodeInline):
    """The encodes of a video."""

    model = Encode
    fk_name = "video"
    fields = (
        "id",
        "state",
        "encoder_build",
        "created_at",
        "verified_at",
        "completed_at",
        "retired_at",
        "error",
    )
    readonly_fields = fields
    extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Encode]:
        """Without the plans: megabytes each."""
        return super().get_queryset(request).defer("plan_json")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See InlineModelAdmin."""
        return False


class RenditionInline(_RenditionInline):
    """The renditions of an encode."""

    model = Rendition
    fields = ("name", "method", "codecs", "width", "height", "chunks_done", "chunk_count")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """See InlineModelAdmin."""
        return False


@admin.register(Video)
class VideoAdmin(_VideoAdmin):
    """Videos with their state; try again, encode again, delete."""

    list_display = ("__str__", "owner", "state", "visibility", "error_begins", "created_at", "links")
    list_filter = ("status", "visibility")
    search_fields = ("title", "public_id", "external_ref", "original_name", "owner__username")
    list_select_related = ("owner",)
    list_per_page = 50
    show_full_result_count = False
    raw_id_fields = ("owner",)
    readonly_fields = (
        "links", "public_id", "state", "error", "warnings", "original_name", "source", "source_bytes", "duration_s",
        "width", "height", "created_at", "playable_at", "ready_at",
    )  # fmt: skip
    fields = ("title", "description", "visibility", "owner", "external_ref", *readonly_fields)
    inlines = (EncodeInline,)
    actions = ("try_again", "encode_again")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Videos are uploaded, not typed."""
        return False

    @admin.display(description="state", ordering="status")
    def state(self, video: Video) -> str:
        """The status, with a bar while there is something to wait for."""
        if video.status != VideoStatus.PROCESSING:
            return video.get_status_display()
        return format_html(
            '<progress max="100" value="{0}" aria-label="{0} %"></progress> {0} %', video.progress_percentage
        )

    @admin.display(description="error")
    def error_begins(self, video: Video) -> str:
        """The first words; the video's page has all."""
        return video.error[:80]

    @admin.display(description="go to")
    def links(self, video: Video) -> str:
        """Where it plays, and the jobs for it."""
        jobs = reverse("admin:jobs_job_changelist", query={"group": video.pk})
        return format_html('<a href="/v/{}/">page</a> <a href="{}">jobs</a>', video.public_id, jobs)

    @admin.action(description="Try failed videos again", permissions=["change"])
    def try_again(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        """Begin again with those that failed."""
        self._again(request, videos.filter(status=VideoStatus.FAILED))

    @admin.action(description="Encode again", permissions=["change"])
    def encode_again(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        """Encode all of them again; what is there plays on meanwhile."""
        self._again(request, videos)

    def save_model(self, request: HttpRequest, obj: Video, form: _VideoForm, change: bool) -> None:
        """Only what was edited: workers write the other fields meanwhile."""
        obj.save(update_fields=[*form.changed_data, "updated_at"])

    def get_deleted_objects(
        self, objs: Iterable[Video], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What to confirm: the videos, not each of their thousands of chunks."""
        videos = [str(video) for video in objs]
        return videos, {str(Video._meta.verbose_name_plural): len(videos)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Video) -> None:
        """Jobs and files go, too."""
        intake.delete_video(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Video]) -> None:
        """Jobs and files go, too."""
        for video in queryset:
            intake.delete_video(video)

    def _again(self, request: HttpRequest, videos: QuerySet[Video]) -> None:
        begun = 0
        for video in videos:
            try:
                intake.retry_video(video)
                begun += 1
            except intake.SourceDeleted as error:
                self.message_user(request, f"{video}: {error}", messages.WARNING)
        self.message_user(request, f"{begun} begun again.", messages.SUCCESS if begun else messages.WARNING)


@admin.register(Encode)
class EncodeAdmin(ReadOnly):
    """What was planned for a source, and what of it is there. It goes with its video."""

    list_display = ("__str__", "state", "encoder_build", "created_at", "completed_at", "error")
    list_filter = ("state",)
    exclude = ("plan_json",)  # megabytes
    readonly_fields = ("failed_chunks",)
    inlines = (RenditionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Encode]:
        """Without the plans."""
        return super().get_queryset(request).defer("plan_json")

    @admin.display(description="chunks that will never come")
    def failed_chunks(self, encode: Encode) -> str:
        """Each with its reason."""
        failed = Chunk.objects.filter(rendition__encode=encode, state="failed").select_related("rendition")
        rows = [(chunk.rendition.name, chunk.index, chunk.reason) for chunk in failed[:MOST_SHOWN]]
        return format_html_join("", "<div>{} {}: {}</div>", rows) or "none"
