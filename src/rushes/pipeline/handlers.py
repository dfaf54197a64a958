"""Every kind of job that a video needs, made known to the worker."""

from __future__ import annotations

from rushes.jobs.handlers import register

from .beside import CaptionsHandler, LoudnessHandler, SubtitleHandler
from .chunks import ChunkHandler
from .download import Mp4Handler
from .finalise import FinaliseHandler
from .ingest import IngestHandler
from .pictures import PosterHandler, PreviewHandler, StoryboardHandler
from .publishing import PublishHandler
from .removal import RemoveFilesHandler
from .takeover import RetireHandler

for _handler in (
    IngestHandler(),
    ChunkHandler(),
    PosterHandler(),
    StoryboardHandler(),
    PreviewHandler(),
    Mp4Handler(),
    SubtitleHandler(),
    LoudnessHandler(),
    CaptionsHandler(),
    FinaliseHandler(),
    PublishHandler(),
    RetireHandler(),
    RemoveFilesHandler(),
):
    register(_handler)
