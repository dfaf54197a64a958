"""A finished rendition held against its plan, by the headers of its segments: nothing is called ready unseen.

What it reads is a few kilobytes a segment; whether the samples decode is for `decodable` to say.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO

from . import EngineError
from .cmaf import (
    FragmentHead,
    MalformedBoxes,
    boxes,
    edit_media_time,
    find,
    parse_moof,
    sample_entry_kind,
    track_defaults,
    track_timescale,
)
from .codecstrings import codec_string, first_slice_is_idr
from .plan import AudioTrack, Plan, Rung
from .settings import AAC_FRAME_SAMPLES, EDGE_TOLERANCE_S
from .store import SegmentStore
from .timeline import same_bounds

#: How far apart picture and sound may begin.
START_TOLERANCE_S = Fraction(1, 1000)
_MOOF_BYTES = 16 << 20  # far above any; a damaged size must not take memory


class VerificationFailed(EngineError):
    """A published file is missing or is not what the plan promises; the message says which and how."""


class DamagedInit(VerificationFailed):
    """It is the init segment: none of the rendition's segments can be judged, or played."""


def verify_rendition(plan: Plan, rendition: Rung | AudioTrack, store: SegmentStore) -> None:
    """Check the init segment and every segment of a complete rendition. Raises VerificationFailed for the first fault.

    Codec, size and timescale are the plan's; every segment is there, its boxes fill it, it begins with a keyframe and
    is shown where the plan says, lasts as long and holds as many samples.
    """
    for reason in broken_chunks(plan, rendition, store).values():
        raise VerificationFailed(reason)


def broken_chunks(plan: Plan, rendition: Rung | AudioTrack, store: SegmentStore) -> dict[int, str]:
    """What is wrong with each chunk of a complete rendition of which something is, in order. Raises DamagedInit."""
    init = _init(rendition, store)
    found = {}
    for chunk in range(rendition.timeline.chunk_count):
        try:
            _check_chunk(plan, rendition, chunk, store, init)
        except VerificationFailed as error:
            found[chunk] = str(error)
    return found


def verify_offsets(plan: Plan, store: SegmentStore) -> None:
    """Check that the complete renditions of a plan fit together, by their own times. Raises VerificationFailed.

    All begin within a millisecond of 0 and end within a tenth of a second (and an AAC frame) of the plan's end; so do
    sound and picture of each other. Encoded rungs break at the same times: players switch between them there.
    """
    ends_s = {}
    for rendition in plan.renditions:
        init = _init(rendition, store)
        first = _heads(rendition, 0, store, init)[0]
        start_s = Fraction(_shown_at(first, init), rendition.timeline.timescale)
        if abs(start_s) > START_TOLERANCE_S:
            raise VerificationFailed(f"{rendition.name} begins at {float(start_s):.4f} s, not at 0.")
        last = _heads(rendition, rendition.timeline.segment_count - 1, store, init)[-1]
        end_s = Fraction(last.base_decode_time + last.duration, rendition.timeline.timescale)
        frame_s = Fraction(AAC_FRAME_SAMPLES, plan.audio[0].timeline.timescale) if plan.audio else Fraction(0)
        if abs(end_s - plan.duration_s) > EDGE_TOLERANCE_S + frame_s:
            raise VerificationFailed(
                f"{rendition.name} ends at {float(end_s):.3f} s, not at {float(plan.duration_s):.3f} s."
            )
        ends_s[rendition.name] = end_s
    for track in plan.audio if plan.rungs else ():
        for rung in plan.rungs:
            apart_s = ends_s[track.name] - ends_s[rung.name]
            frame_s = Fraction(AAC_FRAME_SAMPLES, track.timeline.timescale)
            if abs(apart_s) > EDGE_TOLERANCE_S + frame_s:
                raise VerificationFailed(
                    f"{track.name} ends {float(apart_s):+.3f} s from the end of {rung.name}."
                )
    for rung in plan.encoded_rungs[1:]:
        if not same_bounds(rung.timeline, plan.encoded_rungs[0].timeline):
            raise VerificationFailed(
                f"The segments of {rung.name} do not begin where those of {plan.encoded_rungs[0].name} do."
            )


def _check_chunk(
    plan: Plan, rendition: Rung | AudioTrack, chunk: int, store: SegmentStore, init: bytes
) -> None:
    count = 0
    for number in rendition.timeline.chunk_segments(chunk):
        heads = _heads(rendition, number, store, init)
        _check_times(rendition, number, heads, init)
        count += sum(head.sample_count for head in heads)
    promised = _promised_samples(plan, rendition, chunk)
    if count != promised:
        raise VerificationFailed(
            f"{rendition.name}: chunk {chunk} holds {count} samples; {promised} are promised."
        )


def _shown_at(head: FragmentHead, init: bytes) -> int:
    """When the first sample of a fragment is shown, in ticks."""
    return head.base_decode_time + head.first_composition_offset - edit_media_time(init)


def _init(rendition: Rung | AudioTrack, store: SegmentStore) -> bytes:
    try:
        init = store.read(rendition.init_name)
    except FileNotFoundError as error:
        raise DamagedInit(f"{rendition.name}: the init segment is missing.") from error
    try:
        kind = sample_entry_kind(init)
        codec = codec_string(init)
        timescale = track_timescale(init)
        track_defaults(init)
        edit_media_time(init)
        said = _size_or_rate(init, picture=isinstance(rendition, Rung))
    except MalformedBoxes as error:
        raise DamagedInit(f"{rendition.name}: the init segment is damaged: {error}.") from error
    # Of sound the sample entry says no more than its code.
    promised = rendition.codec_string if codec != kind else rendition.codec_string.partition(".")[0]
    if codec != promised:
        raise DamagedInit(f"{rendition.name}: its codec is {codec}; {rendition.codec_string} is promised.")
    if timescale != rendition.timeline.timescale:
        raise DamagedInit(
            f"{rendition.name}: its clock ticks {timescale} times a second; "
            f"{rendition.timeline.timescale} is promised."
        )
    tagged = (
        (rendition.width, rendition.height) if isinstance(rendition, Rung) else (rendition.sample_rate_hz,)
    )
    if said != tagged:
        raise DamagedInit(
            f"{rendition.name}: it is tagged {'x'.join(map(str, said))}; {'x'.join(map(str, tagged))} is promised."
        )
    return init


def _size_or_rate(init: bytes, *, picture: bool) -> tuple[int, ...]:
    """(width, height), or (samples per second,), of the sample entry. Raises MalformedBoxes."""
    stsd = find(init, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
    entry = next(boxes(init, stsd.start + 8, stsd.end))
    if entry.end - entry.start < 28:
        raise MalformedBoxes("a sample entry ends too soon")
    # 12.1.3 and 12.2.3; a rate is a number with 16 bits behind the point.
    width_or_rate, height = struct.unpack_from(">HH", init, entry.start + 24)
    return (width_or_rate, height) if picture else (width_or_rate,)


def _heads(rendition: Rung | AudioTrack, number: int, store: SegmentStore, init: bytes) -> list[FragmentHead]:
    """The headers of a segment's fragments. Raises VerificationFailed."""
    name = f"{rendition.name}: segment {number}"
    h264 = rendition.codec_string.startswith("avc1")
    try:
        with store.open(rendition.segment_name(number)) as file:
            heads = list(_read_heads(file, track_defaults(init), h264=h264))
    except FileNotFoundError as error:
        raise VerificationFailed(f"{name} is missing.") from error
    except MalformedBoxes as error:
        raise VerificationFailed(f"{name} is damaged: {error}.") from error
    if not heads:
        raise VerificationFailed(f"{name} is empty.")
    return heads


def _read_heads(file: BinaryIO, defaults: tuple[int, int, int], *, h264: bool) -> Iterator[FragmentHead]:
    left = file.seek(0, 2)
    at = file.seek(0)
    moof: bytes | None = None
    while left:
        header = file.read(8)
        if len(header) < 8:
            raise MalformedBoxes("it ends within a box")
        size, kind = struct.unpack(">I4s", header)
        if not 8 <= size <= left:
            raise MalformedBoxes(f"a box claims {size} bytes of {left}")
        left -= size
        if kind == b"moof" and moof is None and size <= _MOOF_BYTES:
            moof = header + file.read(size - 8)
        elif kind == b"mdat" and moof is not None:
            head = parse_moof(moof, size, defaults)
            file.seek(at - len(moof) + head.payload_offset)
            # What the flags call a keyframe must be one: a player that starts there shows grey for seconds else.
            if h264 and head.starts_with_sync and not first_slice_is_idr(file, head.sample_sizes[0]):
                raise MalformedBoxes("its first picture is marked as a keyframe and is none")
            yield head
            moof = None
        else:
            raise MalformedBoxes(f"a {kind.decode('latin-1')} box stands where none is expected")
        at = file.seek(at + size)
    if moof is not None:
        raise MalformedBoxes("it ends before its samples")


def _check_times(rendition: Rung | AudioTrack, number: int, heads: list[FragmentHead], init: bytes) -> None:
    timeline = rendition.timeline
    # As when it was made: chunk starts pass through ffmpeg's microseconds where the clock is finer than that.
    slack = timeline.timescale // 500_000
    if not all(head.starts_with_sync for head in heads):
        raise VerificationFailed(f"{rendition.name}: segment {number} does not begin with a keyframe.")
    at = timeline.bounds[number]
    shown = _shown_at(heads[0], init)
    if abs(shown - at) > slack:
        raise VerificationFailed(
            f"{rendition.name}: segment {number} is shown from tick {shown} on; {at} is promised."
        )
    for head in heads:
        if abs(head.base_decode_time - at) > slack:
            raise VerificationFailed(
                f"{rendition.name}: segment {number} goes on at tick {head.base_decode_time}; {at} is promised."
            )
        at = head.base_decode_time + head.duration
    # A copy's last frame before a chunk's end may last as long as the source says; its next begins where it is told.
    if abs(at - timeline.bounds[number + 1]) > slack and rendition.method == "encode":
        raise VerificationFailed(
            f"{rendition.name}: segment {number} ends at tick {at}; {timeline.bounds[number + 1]} is promised."
        )


def _promised_samples(plan: Plan, rendition: Rung | AudioTrack, chunk: int) -> int:
    first, end = rendition.timeline.chunk_ticks(chunk)
    if isinstance(rendition, AudioTrack):
        return (end - first) // AAC_FRAME_SAMPLES
    if rendition.copy_chunk_packets is not None:
        return rendition.copy_chunk_packets[chunk + 1] - rendition.copy_chunk_packets[chunk]
    assert plan.grid is not None
    return (end - first) // plan.grid.ticks_per_frame
