"""What the API says of videos and jobs, and what it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from rushes.jobs.models import Job
from rushes.pipeline import subtitles
from rushes.pipeline.choices import QUALITIES
from rushes.pipeline.plans import is_readable
from rushes.pipeline.progress import describe, error_of, is_playable
from rushes.pipeline.subtitles import tracks_of
from rushes.videos.addresses import Addresses
from rushes.videos.models import (
    Subtitle,
    SubtitleOrigin,
    SubtitleStatus,
    Video,
    VideoStatus,
    Visibility,
)

RENDITION_STATES = [("processing", "processing"), ("playable", "playable"), ("ready", "ready")]


class RenditionSerializer(serializers.Serializer[Any]):
    """A video rung."""

    name = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    codecs = serializers.CharField()
    bandwidth = serializers.IntegerField()
    url = serializers.CharField()
    status = serializers.ChoiceField(choices=RENDITION_STATES)


class LoudnessSerializer(serializers.Serializer[Any]):
    """Loudness by EBU R 128."""

    integrated_lufs = serializers.FloatField()
    range_lu = serializers.FloatField(allow_null=True)
    true_peak_dbtp = serializers.FloatField(allow_null=True)


class AudioTrackSerializer(serializers.Serializer[Any]):
    """An audio track."""

    name = serializers.CharField()
    language = serializers.CharField(allow_null=True)
    title = serializers.CharField(allow_null=True)
    default = serializers.BooleanField()
    channels = serializers.IntegerField()
    loudness = LoudnessSerializer(
        allow_null=True, help_text="As published; null before it is measured, and for silence."
    )
    gain_db = serializers.FloatField(
        help_text="By how much it was made louder or softer (RUSHES_LOUDNESS_LUFS)."
    )
    codecs = serializers.CharField()
    bandwidth = serializers.IntegerField()
    status = serializers.ChoiceField(choices=RENDITION_STATES)


class SubtitleSerializer(serializers.Serializer[Any]):
    """A subtitle track."""

    name = serializers.CharField()
    # The fields of a class are called what they are in JSON; the base has a `label` of its own, for forms.
    label = serializers.CharField(help_text="What menus show.")  # type: ignore[assignment]
    language = serializers.CharField(allow_null=True, help_text="BCP 47.")
    title = serializers.CharField(allow_null=True)
    default = serializers.BooleanField()
    forced = serializers.BooleanField()
    hearing_impaired = serializers.BooleanField()
    origin = serializers.ChoiceField(choices=SubtitleOrigin.choices)
    codec = serializers.CharField(help_text="What it was before it became WebVTT.")
    status = serializers.ChoiceField(choices=SubtitleStatus.choices)
    reason = serializers.CharField(allow_null=True, help_text="Why there is no text.")
    url = serializers.CharField(allow_null=True, help_text="The whole text as WebVTT.")


class VideoSerializer(serializers.ModelSerializer[Video]):
    """A video as the API shows it."""

    playable = serializers.BooleanField()
    progress_percentage = serializers.IntegerField()
    eta_seconds = serializers.IntegerField(allow_null=True)
    queue_position = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    duration = serializers.FloatField(allow_null=True)
    url_hls = serializers.CharField(allow_null=True)
    url_dash = serializers.CharField(allow_null=True)
    url_mp4 = serializers.CharField(allow_null=True)
    poster = serializers.CharField(allow_null=True)
    thumbnail = serializers.CharField(allow_null=True)
    storyboard = serializers.CharField(
        allow_null=True, help_text="WebVTT: for each part of the time line a picture on a sheet, as `#xywh=`."
    )
    preview = serializers.CharField(allow_null=True, help_text="A few silent seconds as MP4, for a loop.")
    renditions = RenditionSerializer(many=True)
    audio_tracks = AudioTrackSerializer(many=True)
    subtitle_tracks = SubtitleSerializer(many=True)
    owner = serializers.CharField(allow_null=True)

    class Meta:
        model = Video
        fields = (
            *("public_id", "title", "description", "status", "playable", "progress_percentage"),
            *("eta_seconds", "queue_position", "error", "warnings", "duration", "width", "height"),
            *("url_hls", "url_dash", "url_mp4", "poster", "thumbnail", "storyboard", "preview"),
            *("renditions", "audio_tracks", "subtitle_tracks", "visibility", "owner", "external_ref"),
            *("created_at", "playable_at", "ready_at"),
        )
        read_only_fields = fields

    def to_representation(self, instance: Video) -> dict[str, Any]:
        """The promised fields; addresses are absolute, and those of a private video carry a token."""
        told = describe(instance)
        addresses = Addresses(instance)
        planned = instance.active_encode is not None and is_readable(instance.active_encode)
        return {
            "public_id": instance.public_id,
            "title": instance.title,
            "description": instance.description,
            "status": instance.status,
            "playable": is_playable(instance),
            "progress_percentage": told["progress_percentage"],
            "eta_seconds": told["eta_seconds"],
            "queue_position": told["queue_position"],
            "error": error_of(instance) or None,
            "warnings": instance.warnings,
            "duration": instance.duration_s,
            "width": instance.width,
            "height": instance.height,
            "url_hls": self._absolute(addresses.of("master.m3u8")) if planned else None,
            "url_dash": self._absolute(addresses.of("manifest.mpd")) if planned else None,
            "url_mp4": self._absolute(addresses.mp4),
            "poster": self._absolute(addresses.poster),
            "thumbnail": self._absolute(addresses.thumbnail),
            "storyboard": self._absolute(addresses.storyboard),
            "preview": self._absolute(addresses.preview),
            "renditions": [
                {**rung, "url": self._absolute(addresses.of(f"{rung['name']}/index.m3u8"))}
                for rung in told["renditions"]
            ],
            "audio_tracks": told["audio_tracks"],
            "subtitle_tracks": [
                shown_subtitle(row, addresses, self._absolute)
                for row in tracks_of(instance, instance.active_encode)
            ],
            "visibility": instance.visibility,
            "owner": instance.owner.get_username() if instance.owner else None,
            "external_ref": instance.external_ref,
            "created_at": self._time(instance.created_at),
            "playable_at": self._time(instance.playable_at),
            "ready_at": self._time(instance.ready_at),
        }

    def _absolute(self, address: str | None) -> str | None:
        request = self.context.get("request")
        return request.build_absolute_uri(address) if address and request is not None else address

    def _time(self, time: Any) -> str | None:
        return None if time is None else serializers.DateTimeField().to_representation(time)


def shown_subtitle(
    row: Subtitle, addresses: Addresses, absolute: Callable[[str | None], str | None]
) -> dict[str, Any]:
    """A subtitle track as the API shows it."""
    address = addresses.of(f"{row.name}/{row.key}/all.vtt") if row.key else None
    return {**subtitles.describe(row), "url": absolute(address)}


class WordsSerializer(serializers.ModelSerializer[Any]):
    """What owners may say of a video or a photo."""

    title = serializers.CharField(max_length=200, required=False, allow_blank=True)
    description = serializers.CharField(max_length=20_000, required=False, allow_blank=True)
    visibility = serializers.ChoiceField(choices=Visibility.choices, required=False)
    external_ref = serializers.CharField(max_length=200, required=False, allow_blank=True)

    class Meta:
        fields: tuple[str, ...] = ("title", "description", "visibility", "external_ref")


class VideoFieldsSerializer(WordsSerializer):
    """What owners may set."""

    class Meta(WordsSerializer.Meta):
        model = Video


@extend_schema_field(OpenApiTypes.BINARY)
class UploadedFile(serializers.FileField):
    """The file of a form."""


class UploadSerializer(VideoFieldsSerializer):
    """The form of an upload."""

    file = UploadedFile()

    class Meta(VideoFieldsSerializer.Meta):
        fields = ("file", *WordsSerializer.Meta.fields)


class ReplacementSerializer(UploadSerializer):
    """The form of a change, with or without another source."""

    file = UploadedFile(required=False)


class SubtitleUploadSerializer(serializers.Serializer[Any]):
    """The form of a subtitle file."""

    file = serializers.FileField(
        max_length=255, allow_empty_file=True, help_text="SubRip, WebVTT or ASS, at most 2 MB."
    )
    language = serializers.CharField(
        max_length=40, required=False, allow_blank=True, default="", help_text="BCP 47: en, de, pt-BR."
    )
    title = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        default="",
        help_text="What menus show; by default the language's own name.",
    )
    default = serializers.BooleanField(required=False, default=False)
    forced = serializers.BooleanField(required=False, default=False)
    hearing_impaired = serializers.BooleanField(required=False, default=False)


class TranscodeSerializer(serializers.Serializer[Any]):
    """What to make again."""

    resolutions = serializers.ListField(
        child=serializers.RegexField(r"^\d{2,4}p$", max_length=5), required=False, max_length=16
    )
    force = serializers.BooleanField(required=False, default=False)
    quality = serializers.ChoiceField(QUALITIES, required=False, help_text="Else RUSHES_QUALITY.")
    codecs = serializers.ListField(
        child=serializers.CharField(max_length=8),
        required=False,
        max_length=4,
        help_text="h264, and hevc or av1 beside it; else RUSHES_CODECS.",
    )


class JobSerializer(serializers.ModelSerializer[Job]):
    """A job of the ledger."""

    class Meta:
        model = Job
        fields = ("id", "kind", "status", "progress_percentage", "message", "error", "created_at")
        read_only_fields = fields


class RenditionHealthSerializer(serializers.Serializer[Any]):
    """What of a rendition is there."""

    name = serializers.CharField()
    manifest = serializers.BooleanField()
    init = serializers.BooleanField()
    segments_expected = serializers.IntegerField()
    segments_on_disk = serializers.IntegerField()
    segments_in_database = serializers.IntegerField()
    missing = serializers.ListField(child=serializers.IntegerField(), help_text="Numbers of segments.")


class HealthSerializer(serializers.Serializer[Any]):
    """What of a video is there."""

    public_id = serializers.CharField()
    status = serializers.ChoiceField(choices=VideoStatus.choices)
    healthy = serializers.BooleanField()
    renditions = RenditionHealthSerializer(many=True)
