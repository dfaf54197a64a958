"""Video 1-n Encode 1-n Rendition 1-n Chunk. No row per segment."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


def new_public_id() -> str:
    """22 unguessable characters that need no escape in a URL, and are no option on a command line."""
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


class VideoStatus(models.TextChoices):
    """uploading -> pending -> processing -> ready | failed."""

    UPLOADING = "uploading"
    PENDING = "pending"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class Visibility(models.TextChoices):
    """Who may watch: everybody, everybody who has the link, or the owner and signed links only."""

    PUBLIC = "public"
    UNLISTED = "unlisted"
    PRIVATE = "private"


class Video(models.Model):
    """What somebody uploaded. `active_encode` is what players get; changing it is the one step of a takeover."""

    public_id = models.CharField(max_length=32, unique=True, default=new_public_id, editable=False)
    # Protected: rows that go with their user would leave files and jobs behind. Delete the videos first.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="videos"
    )
    visibility = models.CharField(max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE)
    external_ref = models.CharField(max_length=200, blank=True, default="", db_index=True)
    title = models.CharField(max_length=200, blank=True, default="")
    description = models.TextField(blank=True, default="")
    status = models.CharField(max_length=10, choices=VideoStatus.choices, default=VideoStatus.PENDING)
    error = models.TextField(blank=True, default="")  # a sentence for the uploader
    warnings = models.JSONField(default=list, blank=True)
    progress_percentage = models.SmallIntegerField(default=0)
    active_encode = models.ForeignKey(
        "Encode", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # The source as the store names it ("sources/7/1f0c..."): never a name that a user gave.
    source = models.CharField(max_length=200, blank=True, default="")
    source_bytes = models.BigIntegerField(default=0)
    original_name = models.CharField(max_length=255, blank=True, default="")  # only ever shown
    duration_s = models.FloatField(null=True, blank=True)
    width = models.IntegerField(null=True, blank=True)
    height = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(auto_now=True)
    playable_at = models.DateTimeField(null=True, blank=True)  # the first segments are there
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=VideoStatus.values), name="video_status_known"),
            models.CheckConstraint(
                condition=Q(visibility__in=Visibility.values), name="video_visibility_known"
            ),
            models.CheckConstraint(
                condition=Q(progress_percentage__gte=0, progress_percentage__lte=100),
                name="video_progress_percentage",
            ),
            models.CheckConstraint(
                condition=~Q(status=VideoStatus.READY) | Q(ready_at__isnull=False),
                name="video_ready_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.original_name or self.public_id

    @property
    def playable(self) -> bool:
        """Whether playback can start. It stays true if a later part fails."""
        return self.playable_at is not None and self.active_encode_id is not None


class EncodeState(models.TextChoices):
    """building -> active -> retired, or building -> failed."""

    BUILDING = "building"
    ACTIVE = "active"
    RETIRED = "retired"
    FAILED = "failed"


class Encode(models.Model):
    """One plan for one source. The first of a video is active as soon as it is playable; a later one when complete."""

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="encodes")
    state = models.CharField(max_length=10, choices=EncodeState.choices, default=EncodeState.BUILDING)
    plan_json = models.TextField()  # what the engine's `to_json` wrote
    plan_version = models.IntegerField()
    plan_key = models.CharField(max_length=64)
    encoder_build = models.CharField(max_length=64)
    settings = models.JSONField(default=dict)  # rungs, quality, copy
    root_job = models.BigIntegerField(
        null=True, blank=True
    )  # the job that planned it: the parent of its others
    source = models.CharField(max_length=200)  # what it is made from, as the store names it
    # A seekable copy of that source where one was needed; removed when the encode has ended.
    work_source = models.CharField(max_length=200, blank=True, default="")
    mp4 = models.CharField(max_length=200, blank=True, default="")
    poster = models.CharField(max_length=200, blank=True, default="")
    thumbnail = models.CharField(max_length=200, blank=True, default="")
    storyboard = models.CharField(
        max_length=200, blank=True, default=""
    )  # the WebVTT file; sheets lie beside it
    preview = models.CharField(max_length=200, blank=True, default="")
    # What is settled of all that is made beside the streams: kind of job -> why there is none, "" where there is one.
    outputs = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True, default="")
    warnings = models.JSONField(default=list, blank=True)
    # What is made from the source beside the streams, and before the source may go. Done also where it came to nothing.
    subtitles_done = models.BooleanField(default=False)
    loudness_done = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    verified_at = models.DateTimeField(
        null=True, blank=True
    )  # its streams; what is made from them may still come
    completed_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=EncodeState.values), name="encode_state_known"),
            models.UniqueConstraint(
                fields=["video"], condition=Q(state=EncodeState.ACTIVE), name="encode_one_active_per_video"
            ),
        ]

    def __str__(self) -> str:
        return f"encode {self.pk} of video {self.video_id} ({self.state})"


class Rendition(models.Model):
    """A rung or an audio track of an encode; `name` is its folder, `key` the folder of its segments in it."""

    encode = models.ForeignKey(Encode, on_delete=models.CASCADE, related_name="renditions")
    name = models.CharField(max_length=64)  # "720p", "audio-1-eng"
    key = models.CharField(max_length=64)
    kind = models.CharField(max_length=8, choices=[("video", "video"), ("audio", "audio")])
    method = models.CharField(max_length=8, choices=[("encode", "encode"), ("copy", "copy")])
    codecs = models.CharField(max_length=64)
    width = models.IntegerField(null=True, blank=True)
    height = models.IntegerField(null=True, blank=True)
    position = models.SmallIntegerField()  # in the plan's order
    chunk_count = models.IntegerField()
    chunks_done = models.IntegerField(default=0)
    settled_until = models.IntegerField(default=0)  # all chunks below are there or will never come
    promised_bytes = models.BigIntegerField(default=0)  # of disk, for all chunks; see `pipeline.room`
    measured_peak_bps = models.BigIntegerField(null=True, blank=True)
    measured_average_bps = models.BigIntegerField(null=True, blank=True)
    # EBU R 128, of sound as it is published; null before it was measured, and for silence.
    integrated_lufs = models.FloatField(null=True, blank=True)
    range_lu = models.FloatField(null=True, blank=True)
    true_peak_dbtp = models.FloatField(null=True, blank=True)
    iframe_peak_bps = models.BigIntegerField(null=True, blank=True)  # of the first pictures of segments alone
    iframe_average_bps = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["encode", "name"], name="rendition_name_once_per_encode"),
            models.CheckConstraint(
                condition=Q(chunks_done__gte=0) & Q(chunks_done__lte=F("chunk_count")),
                name="rendition_chunks_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of encode {self.encode_id}"

    @property
    def complete(self) -> bool:
        """Every chunk is there."""
        return self.chunks_done == self.chunk_count


class Chunk(models.Model):
    """A chunk that was made, or that will never come. What is neither has no row."""

    rendition = models.ForeignKey(Rendition, on_delete=models.CASCADE, related_name="chunks")
    index = models.IntegerField()
    state = models.CharField(max_length=8, choices=[("done", "done"), ("failed", "failed")])
    segment_sizes = models.BinaryField(default=bytes)  # bytes of each segment, little-endian unsigned 32 bit
    segment_crcs = models.BinaryField(default=bytes)  # CRC-32 of each segment likewise; empty: not known
    keyframe_sizes = models.BinaryField(
        default=bytes
    )  # of video: of each segment's first picture, in the same way
    reason = models.TextField(blank=True, default="")  # of a failed one
    worker = models.CharField(max_length=100, blank=True, default="")
    made_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rendition", "index"], name="chunk_once_per_rendition"),
            models.CheckConstraint(condition=Q(state__in=["done", "failed"]), name="chunk_state_known"),
        ]
        # They are few, and looked for at each commit and by each playlist.
        indexes = [models.Index(fields=["rendition"], condition=Q(state="failed"), name="chunk_failed")]

    def __str__(self) -> str:
        return f"chunk {self.index} of rendition {self.rendition_id} ({self.state})"


class SubtitleStatus(models.TextChoices):
    """processing -> ready | failed; or not_convertible from the beginning."""

    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    NOT_CONVERTIBLE = "not_convertible"


class SubtitleOrigin(models.TextChoices):
    """Where subtitles come from: the source, somebody's file, or a speech model."""

    EMBEDDED = "embedded"
    UPLOAD = "upload"
    CAPTIONS = "captions"


class Subtitle(models.Model):
    """A subtitle track. Those of a source belong to an encode; uploaded ones to the video, whatever its source is."""

    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="subtitles")
    encode = models.ForeignKey(
        Encode, null=True, blank=True, on_delete=models.CASCADE, related_name="subtitles"
    )
    number = models.IntegerField()  # from 101 on where it does not come from the source
    name = models.CharField(max_length=64)  # "subs-1-de": the folder
    key = models.CharField(max_length=64, blank=True, default="")  # of its text: the folder of segments in it
    origin = models.CharField(max_length=10, choices=SubtitleOrigin.choices)
    codec = models.CharField(max_length=32, blank=True, default="")  # what it was
    language = models.CharField(max_length=35, blank=True, default="")  # BCP 47
    title = models.CharField(max_length=100, blank=True, default="")  # as its maker calls it
    default = models.BooleanField(default=False)
    forced = models.BooleanField(default=False)
    hearing_impaired = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=SubtitleStatus.choices)
    reason = models.TextField(blank=True, default="")  # why there is no text
    segment_count = models.IntegerField(default=0)
    size_bytes = models.IntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["encode", "number"],
                condition=Q(encode__isnull=False),
                name="subtitle_number_once_per_encode",
            ),
            models.UniqueConstraint(
                fields=["video", "number"],
                condition=Q(encode__isnull=True),
                name="subtitle_number_once_per_video",
            ),
            models.CheckConstraint(
                condition=Q(status__in=SubtitleStatus.values), name="subtitle_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} of video {self.video_id} ({self.status})"


class ApiKey(models.Model):
    """A key for programs. Only its hash is kept; the key itself is shown once, when it is made."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=12)  # shown to people, so that they know which it is
    digest = models.CharField(
        max_length=64, unique=True
    )  # SHA-256, hex: keys are random, no slow hash is needed
    scopes = models.JSONField(default=list)  # of submit, read, work, admin
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
