"""Plans as rows, and back."""

from __future__ import annotations

from functools import lru_cache

from rushes.engine.plan import PLAN_VERSION, AudioTrack, Plan, Rung, from_json, to_json
from rushes.videos.models import Encode, Rendition

_KEPT = 64  # decoded plans; the longest take some megabytes

#: Said of a video whose encode this build cannot play.
OUTDATED = "It was encoded by another version of Rushes, and this one cannot play that. Encode it again."


@lru_cache(maxsize=_KEPT)
def _plan(encode_id: int) -> Plan:
    return from_json(Encode.objects.values_list("plan_json", flat=True).get(pk=encode_id))


def plan_of(encode_id: int) -> Plan:
    """The plan of an encode; it never changes. Raises Encode.DoesNotExist or UnreadablePlan."""
    return _plan(encode_id)


def is_readable(encode: Encode) -> bool:
    """Whether this build reads the plan of an encode; that of another version may be of another shape."""
    return encode.plan_version == PLAN_VERSION


def text_of(plan: Plan) -> str:
    """The plan as the row keeps it."""
    return to_json(plan).decode()


def rendition_row(
    encode: Encode, position: int, planned: Rung | AudioTrack, promised_bytes: int = 0
) -> Rendition:
    """The row of a planned rendition, not saved."""
    video = isinstance(planned, Rung)
    return Rendition(
        encode=encode,
        name=planned.name,
        key=planned.key,
        kind="video" if video else "audio",
        method=planned.method,
        codecs=planned.codec_string,
        width=planned.width if isinstance(planned, Rung) else None,
        height=planned.height if isinstance(planned, Rung) else None,
        position=position,
        chunk_count=planned.timeline.chunk_count,
        promised_bytes=promised_bytes,
    )
