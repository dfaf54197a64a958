"""Sources in which ffmpeg cannot seek exactly are copied, undecoded, into a container in which it can.

Which formats need it was measured: seek to eleven places of a 60 s clip with a 25 s GOP, and compare picture, sound and
time stamp of what comes with a decode from the start. Exact: MOV and MP4 (fragmented and cut-off ones too),
Matroska (without cues too), complete AVI, FLV, ASF, NUT, and the formats of sound below. Wrong: MPEG-TS lands a GOP
late, Ogg gives FLAC times that are 0.8 s off, a cut-off AVI lands at its end, raw streams don't seek at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rushes.engine.admission import MAX_DURATION_S, ProbeError
from rushes.engine.binaries import Toolchain
from rushes.engine.probe import probe
from rushes.engine.process import INPUT_GUARDS, Cancelled, FfmpegFailed, Limits, ffmpeg_argv, start
from rushes.engine.source import Source, Stream

EXACT_FORMATS = frozenset({
    *("mov", "matroska", "avi", "flv", "asf", "nut"),
    *("wav", "w64", "aiff", "au", "caf", "voc", "mp3", "flac", "aac", "ac3", "eac3", "amr", "dts", "tta", "wv"),
})  # fmt: skip

_MP4_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "vc1", "mjpeg"})
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "dts", "truehd", "alac"})
_MOV_VIDEO = frozenset({"dnxhd"})  # what studios use and NUT has no name for
# PCM as discs and studios pack it, which no container below takes; unpacked it is the same samples.
_PACKED_PCM = frozenset({"pcm_bluray", "pcm_dvd", "s302m"})
# Where a container has no pts at all (raw streams, AVI), these codecs' headers still tell the order of presentation.
_ORDER_IN_HEADERS = frozenset({"h264", "hevc"})

_BYTES_PER_S = 1_000_000  # a slow disk, shared
_LOOK_S = 0.05  # how often cancellation is looked at; small files are copied in no time
_SMALLEST_WALL_LIMIT_S = 120.0
_MUXING_OVERHEAD_BYTES = 64 << 20  # an index of 30 bytes a packet


class RemuxFailed(ProbeError):
    """The source can't be copied into a container that seeks exactly."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container that a source is copied into."""

    muxer: str  # ffmpeg's name
    suffix: str


# MP4 keeps the time base where it is told to, and a stream that is copied from it needs no other treatment.
MP4 = Container(muxer="mp4", suffix=".mp4")
# NUT takes nearly every codec and keeps any time base; Matroska would round to milliseconds.
NUT = Container(muxer="nut", suffix=".nut")
# Takes what NUT does not, and PCM, in any time base.
MOV = Container(muxer="mov", suffix=".mov")
# Frames without a pts (MPEG-4 with B-frames) can live only where there are none: an AVI gets a new index.
AVI = Container(muxer="avi", suffix=".avi")


def needs_remux(source: Source) -> bool:
    """Whether a seek in `source` may miss frames, so that `remux` has to come before the plan. Pure."""
    return not source.formats & EXACT_FORMATS or ("avi" in source.formats and not source.complete)


def choose_container(source: Source) -> Container:
    """Where the planned streams of `source` fit without loss of a time stamp."""
    if "avi" in source.formats and not _needs_order(source):
        return AVI
    if source.video is not None and source.video.codec in _MOV_VIDEO:
        return MOV
    fits = (source.video is None or source.video.codec in _MP4_VIDEO) and all(
        audio.codec in _MP4_AUDIO for audio in source.audio
    )
    return MP4 if fits else NUT


def remux_arguments(source: Source, container: Container, output: str) -> tuple[str, ...]:
    """The body of an `ffmpeg_argv` that copies the planned video and every audio to `output`.

    No format that needs it carries subtitles as text; captions in the picture stay there. Not `-copyts`: all streams
    move together to zero, and where a recording was paused or two were joined ffmpeg closes the gap (of over 10 s) as
    every player does.
    """
    return (
        *INPUT_GUARDS,
        # Programme streams and raw MPEG have a pts only now and then; an AVI cannot keep one.
        *(
            ("-fflags", "+genpts")
            if _untimed(source) and not (_needs_order(source) or container is AVI)
            else ()
        ),
        *("-i", str(source.path)),
        *(part for stream in _planned(source) for part in ("-map", f"0:{stream.index}")),
        *("-map_chapters", "-1"),  # MP4 writes them as one more track
        *("-c", "copy"),
        *_unpacked_pcm(source),
        *(("-bsf:v", "dts2pts") if _needs_order(source) else ()),  # ffmpeg 6 and newer
        *("-avoid_negative_ts", "make_zero"),  # MP4 would hide negative frames by an edit list
        *(_mp4_options(source) if container in (MP4, MOV) else ()),
        *("-f", container.muxer),
        output,
    )


def _planned(source: Source) -> tuple[Stream, ...]:
    """What is copied, in the order of the copy's streams."""
    return (*((source.video,) if source.video else ()), *source.audio)


def _untimed(source: Source) -> int:
    return source.packets[source.video.index].untimed if source.video else 0


def _needs_order(source: Source) -> bool:
    video = source.video
    return (
        video is not None
        and video.codec in _ORDER_IN_HEADERS
        and _untimed(source) == len(source.packets[video.index])
    )


def _unpacked_pcm(source: Source) -> tuple[str, ...]:
    return tuple(
        part
        for number, audio in enumerate(source.audio)
        if audio.codec in _PACKED_PCM
        for part in (f"-c:a:{number}", "pcm_s24le")
    )


def _mp4_options(source: Source) -> tuple[str, ...]:
    base = source.video.time_base if source.video else None
    # 90 kHz is MPEG's own clock; a finer one has to be kept.
    timescale = (
        base.denominator if base is not None and base.numerator == 1 and base.denominator > 90_000 else 90_000
    )
    return (
        *("-video_track_timescale", str(timescale)),  # else some multiple of the frame rate, which rounds
        *("-movie_timescale", "90000"),  # in which a late track's delay is written; the default is 1 ms
        *("-write_tmcd", "0"),  # a time code of the source would become a track of its own
        *("-strict", "experimental"),  # TrueHD, and Dolby Vision's record
    )


def remux(
    source: Source,
    toolchain: Toolchain,
    folder: Path,
    *,
    max_duration_s: float = MAX_DURATION_S,
    cancel: threading.Event | None = None,
) -> Source:
    """Copy `source` into `folder` and probe the copy; its key stays the original's, so that plans are found again.

    Takes the disk space of the source once more. Raises RemuxFailed, Cancelled, the errors of `probe`, and those of
    `FfmpegRun.wait` other than FfmpegFailed.
    """
    container = choose_container(source)
    output = folder.absolute() / f"source{container.suffix}"
    argv = ffmpeg_argv(toolchain.ffmpeg.path, remux_arguments(source, container, str(output)))
    limits = Limits(
        wall_s=max(_SMALLEST_WALL_LIMIT_S, source.size_bytes / _BYTES_PER_S),
        output_bytes=source.size_bytes * 2 + _MUXING_OVERHEAD_BYTES,
    )
    try:
        with start(argv, scratch=folder, limits=limits) as run:
            while not run.wait_for(_LOOK_S):
                if cancel is not None and cancel.is_set():
                    run.cancel()
                    run.wait()
                    raise Cancelled("nobody needs this copy any more")
            run.wait()
    except FfmpegFailed as error:
        output.unlink(missing_ok=True)
        raise RemuxFailed(
            f"{source.path.name} is in a format without exact places to seek to ({'/'.join(sorted(source.formats))}) "
            f"and can't be copied into another: {error.stderr_tail[-1] if error.stderr_tail else error}"
        ) from error
    copy = probe(output, toolchain, max_duration_s=max_duration_s)
    return replace(
        copy,
        key=source.key,
        complete=source.complete,
        set_aside_subtitles=source.subtitles,
        streams=with_words(copy.streams, _planned(source)),
        warnings=tuple(dict.fromkeys((*source.warnings, *copy.warnings, *_losses(copy, source)))),
    )


def with_words(copied: Sequence[Stream], originals: Sequence[Stream]) -> tuple[Stream, ...]:
    """The streams of a copy with what a muxer may drop, and no decoder needs. Pure.

    A track without a whole packet is not in the copy: of those of its kind it is not known any more which is which.
    """
    found: list[Stream] = []
    for stream in copied:
        alike = [other for other in copied if type(other) is type(stream)]
        meant = [original for original in originals if type(original) is type(stream)]
        if len(alike) == len(meant):
            original = meant[alike.index(stream)]
            stream = replace(
                stream, language=original.language, title=original.title, dispositions=original.dispositions
            )
        found.append(stream)
    return tuple(found)


def _losses(copy: Source, source: Source) -> Iterator[str]:
    if source.video is not None and copy.video is None:
        yield "No picture of the source can be read; only its sound is played."
    if len(copy.audio) < len(source.audio):
        yield f"{len(source.audio) - len(copy.audio)} of {len(source.audio)} sound tracks can't be read."
