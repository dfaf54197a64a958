"""probe: a file to a `Source`, by ffprobe: once for its streams, once for its packets, once for H.264 headers.

Of an MP4 only the packets at both ends are read where its tables tell the rest.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import time
from array import array
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from rushes.engine.admission import (
    MAX_DURATION_S,
    NothingToPlay,
    NotMedia,
    PlaylistRefused,
    TooLong,
    TooManyTracks,
    check_duration,
    check_hollow,
    check_pixels,
    check_tracks,
    too_many_pixels,
)
from rushes.engine.binaries import Toolchain
from rushes.engine.extradata import bytes_of_dump, h264_headers
from rushes.engine.index import PACKET_ENTRIES, ImpossibleTimes, read_index, with_first_pts
from rushes.engine.limits import MAX_PIXELS
from rushes.engine.mp4index import index_of_mp4
from rushes.engine.process import FfmpegFailed, LimitExceeded, input_guards, iter_tool_lines, run_tool
from rushes.engine.source import (
    PacketIndex,
    Source,
    Stream,
    VideoStream,
    best_video,
)
from rushes.engine.streams import parse_streams

# Formats whose time stamps may jump (a recording that was paused, two that were joined): their span says nothing before
# they are remuxed.
JUMPING_FORMATS = frozenset({"mpegts", "mpeg"})

_STREAMS_WALL_LIMIT_S = 60.0  # a cold disk and a file whose headers are at its end
_STREAMS_CPU_LIMIT_S = 20.0  # 0.1 are usual; a hundred thousand tags take ffmpeg minutes
_INDEX_WALL_LIMIT_S = 1800.0  # every byte may be read once
_INDEX_BYTES = 400 << 20  # 45 bytes a packet: 13 h of 120 fps and two sound tracks; a packet bomb ends here
_DESCRIPTION_BYTES = 4 << 20  # a thousand streams, as many as ffmpeg opens, are half of it
_EDGE_BYTES = 1 << 20  # what of the file's beginning and end goes into its key
_PICTURE_SIZE = re.compile(r"Picture size (\d+)x(\d+) exceeds")
_PLAYLIST = re.compile(
    rb"\s*(?:\xef\xbb\xbf)?(?:#EXTM3U|ffconcat |v=0\r?\no=|(?:<\?xml[^>]*>\s*)?<(?:MPD|AssetMap)\b)"
)
_REFUSED_DEMUXER = re.compile(r"\[([\w]+)[^]]*\] Format not on whitelist")
_PLAYLIST_DEMUXERS = frozenset({"hls", "applehttp", "dash", "concat", "imf", "sdp", "webm_dash_manifest"})


def probe(
    path: Path,
    toolchain: Toolchain,
    *,
    max_duration_s: float = MAX_DURATION_S,
    max_pixels: int = MAX_PIXELS,
) -> Source:
    """Describe the local file `path`.

    Every packet is read, which takes as long as reading the file; of a plain MP4 or MOV only those at its ends.

    Raises NotMedia, PlaylistRefused, NothingToPlay, TooManyTracks, TooLong or TooManyPixels, in words for uploaders.
    """
    path = path.absolute()
    size_bytes = _check_file(path)
    command = (str(toolchain.ffprobe.path), "-v", "error", *input_guards(max_pixels))
    document = _describe(command, path, max_pixels)
    streams = parse_streams(document.get("streams", []))
    check_pixels(streams, max_pixels)
    check_tracks(streams)
    with ThreadPoolExecutor(1, thread_name_prefix="H.264 headers") as pool:  # beside the index: 40 ms sooner
        with_headers = pool.submit(_with_headers, command, path, streams)
        started_s = time.monotonic()
        packets, warnings = _index(command, path, document, streams, max_duration_s)
        index_wall_s = time.monotonic() - started_s
    packets = _of_planned(streams, packets)
    if not packets:
        raise NothingToPlay(f"{path.name} holds neither pictures nor sound that can be played")
    formats = frozenset(document["format"]["format_name"].split(","))
    if not formats & JUMPING_FORMATS:
        check_duration(path.name, streams, packets, max_duration_s)
        check_hollow(path.name, streams, packets)
    streams = with_first_pts(with_headers.result(), packets)
    claimed = document["format"].get("duration")
    complete = _is_complete(document, streams, packets)
    return Source(
        path=path,
        key=source_key(path, size_bytes, packets),
        size_bytes=size_bytes,
        formats=formats,
        duration_s=None if claimed is None else Fraction(claimed),
        streams=streams,
        packets=packets,
        complete=complete,
        index_wall_s=index_wall_s,
        warnings=(*warnings, *_damage(packets, complete)),
    )


def source_key(path: Path, size_bytes: int, packets: Mapping[int, PacketIndex]) -> str:
    """32 hex digits that name the content: the same bytes have the same key wherever they lie.

    From the size, the packet index, and the first and last MiB: never from the whole file, which may have 100 GB.
    """
    digest = hashlib.sha256(f"{size_bytes}\n".encode())
    for stream_index, index in sorted(packets.items()):
        digest.update(f"{stream_index} {len(index)}\n".encode())
        for column in (index.pts, index.dts, index.size_bytes, index.keyframes):
            digest.update(_little_endian(column))
    with path.open("rb") as file:
        digest.update(file.read(_EDGE_BYTES))
        file.seek(max(0, size_bytes - _EDGE_BYTES))
        digest.update(file.read(_EDGE_BYTES))
    return digest.hexdigest()[:32]


def _little_endian(column: array[int]) -> array[int]:
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _check_file(path: Path) -> int:
    """Size in bytes of a file that is worth showing to ffprobe."""
    try:
        with path.open("rb") as file:
            head = file.read(1024)
            size_bytes = file.seek(0, 2)
    except OSError as error:
        raise NotMedia(f"{path.name} can't be read: {error.strerror}") from error
    if not size_bytes:
        raise NotMedia(f"{path.name} is empty")
    if _PLAYLIST.match(head):
        raise _playlist_refused(path)
    return size_bytes


def _describe(command: tuple[str, ...], path: Path, max_pixels: int) -> dict[str, Any]:
    """ffprobe's JSON of streams and format."""
    try:
        result = run_tool(
            [*command, "-show_streams", "-show_format", "-of", "json", str(path)],
            wall_limit_s=_STREAMS_WALL_LIMIT_S,
            cpu_limit_s=_STREAMS_CPU_LIMIT_S,
            output_limit_bytes=_DESCRIPTION_BYTES,
        )
    except LimitExceeded as limit:
        if limit.limit == "output":
            raise TooManyTracks(
                f"{path.name} has more tracks, or more text about them, than any video"
            ) from limit
        raise NotMedia(f"{path.name} can't be examined: {limit}") from limit
    if size := _PICTURE_SIZE.search(result.stderr):
        raise too_many_pixels(int(size[1]), int(size[2]), max_pixels)
    if result.returncode == 0:
        document: dict[str, Any] = json.loads(result.stdout)
        return document
    if "moov atom not found" in result.stderr and _is_mp4(path):
        raise NotMedia(
            f"{path.name} is an incomplete MP4: its index, which cameras write last, is missing; upload the whole file"
        )
    if result.returncode < 0:
        raise NotMedia(f"{path.name} can't be read: it makes ffprobe crash")
    refused = _REFUSED_DEMUXER.search(result.stderr)
    if refused and refused[1] in _PLAYLIST_DEMUXERS:
        raise _playlist_refused(path)
    error = NotMedia(f"{path.name} is not a video or sound file that Rushes can read")
    error.add_note(result.stderr)  # for whoever looks after the server
    raise error


def _playlist_refused(path: Path) -> PlaylistRefused:
    return PlaylistRefused(f"{path.name} is a playlist, not a video; upload the video that it names")


def _is_mp4(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def _index(
    command: tuple[str, ...],
    path: Path,
    document: Mapping[str, Any],
    streams: Iterable[Stream],
    max_duration_s: float,
) -> tuple[dict[int, PacketIndex], tuple[str, ...]]:
    """The packet index, and a warning where ffprobe gave up before the end."""
    packets = index_of_mp4(command, path, document, streams)
    if packets is not None:
        return packets, ()
    lines = iter_tool_lines(
        [*command, *PACKET_ENTRIES, str(path)],
        wall_limit_s=_INDEX_WALL_LIMIT_S,
        output_limit_bytes=_INDEX_BYTES,
    )
    gave_up: list[str] = []

    def until_it_gives_up() -> Iterable[str]:
        try:
            yield from lines
        except FfmpegFailed:  # what it read until then is there, and worth playing
            gave_up.append("the file is damaged: it can't be read to its end")

    try:
        return read_index(until_it_gives_up(), streams), tuple(gave_up)
    except ImpossibleTimes as error:
        raise NotMedia(f"{path.name} is damaged: its time stamps lie beyond any clock") from error
    except LimitExceeded as error:
        if error.limit != "output":
            raise
        raise TooLong(
            f"{path.name} has more packets than {max_duration_s / 3600:g} hours of video can have"
        ) from error


def _of_planned(streams: Iterable[Stream], packets: Mapping[int, PacketIndex]) -> dict[int, PacketIndex]:
    """The indexes of what is planned: the one video that `Source.video` chooses, and every audio."""
    streams = tuple(streams)
    chosen = best_video(s for s in streams if isinstance(s, VideoStream) and s.index in packets)
    others = {s.index for s in streams if isinstance(s, VideoStream) and s is not chosen}
    return {number: index for number, index in packets.items() if number not in others}


def _with_headers(command: tuple[str, ...], path: Path, streams: Iterable[Stream]) -> tuple[Stream, ...]:
    """H.264 streams with what their extradata tells. A run of its own: `-show_data` would also dump attached fonts."""
    streams = tuple(streams)
    if not any(isinstance(s, VideoStream) and s.codec == "h264" for s in streams):
        return streams
    try:
        result = run_tool(
            [
                *(*command, "-select_streams", "v", "-show_data"),
                *("-show_entries", "stream=index,extradata", "-of", "json", str(path)),
            ],
            wall_limit_s=_STREAMS_WALL_LIMIT_S,
        )
    except (
        LimitExceeded
    ):  # megabytes of headers: nobody needs them but a copy, which such a stream is not fit for
        return streams
    dumps = {
        stream["index"]: stream["extradata"]
        for stream in (json.loads(result.stdout).get("streams", []) if result.returncode == 0 else [])
        if "extradata" in stream
    }
    return tuple(_with_h264_headers(stream, dumps) for stream in streams)


def _with_h264_headers(stream: Stream, dumps: Mapping[int, str]) -> Stream:
    if not (isinstance(stream, VideoStream) and stream.codec == "h264" and stream.index in dumps):
        return stream
    headers = h264_headers(bytes_of_dump(dumps[stream.index]))
    if headers is None:
        return stream
    return replace(stream, codec_string=headers.codec_string, parameter_sets=headers.parameter_sets)


def _is_complete(
    document: Mapping[str, Any], streams: Iterable[Stream], packets: Mapping[int, PacketIndex]
) -> bool:
    """Whether the video has all that the container promises; its claims are believed only in formats that count."""
    formats = document["format"]["format_name"].split(",")
    promised = {stream["index"]: int(stream.get("nb_frames", 0)) for stream in document["streams"]}
    for stream in streams:
        if not isinstance(stream, VideoStream) or stream.index not in packets:
            continue
        index = packets[stream.index]
        if "mov" in formats:
            return len(index) + index.discarded >= promised[stream.index]
        if "avi" in formats:  # it counts ticks, dropped frames among them; a tick at the end may be rounding
            return max(index.pts) - min(index.pts) + 2 * index.last_duration >= promised[stream.index]
    return True


def _damage(packets: Mapping[int, PacketIndex], complete: bool) -> Iterable[str]:
    """Warnings about what the container promises and the packets don't keep."""
    if not complete:
        yield "the file was cut off: its end is missing"
    for index in packets.values():
        if index.corrupt:
            count = "a packet" if index.corrupt == 1 else f"{index.corrupt} packets"
            yield f"the file is damaged: {count} of stream {index.stream_index} did not come whole"
