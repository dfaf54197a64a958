"""Subtitles inside a source: which tracks there are, and their text as clean cues on the plan's time line.

Text is taken out of the file by one process that decodes no picture. Captions that ride in the picture (CEA-608 in
H.264's or MPEG-2's user data) need the picture decoded; only sources that have such are read that way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from .binaries import Toolchain
from .cues import Cue, in_order
from .labels import plain
from .languages import bcp47
from .limits import INPUT_GUARDS
from .plan import Plan, SubtitleTrack
from .process import (
    Cancelled,
    FfmpegFailed,
    LimitExceeded,
    Limits,
    ffmpeg_argv,
    run_tool,
    scratch_folder,
    start,
)
from .source import Source
from .subtitle_files import MAX_FILE_BYTES, parse, parse_muxed_ass

#: More tracks than any film has; beyond them a file is a bomb. Uploads are numbered from `FIRST_UPLOAD` on.
MAX_TRACKS = 64
FIRST_UPLOAD = 101

CAPTIONS = "eia_608"
_ASS = ("ass", "ssa")
_CAPTIONED_CODECS = frozenset({"h264", "hevc", "mpeg2video"})
#: Whoever sends captions sends them with every picture, also while nobody speaks.
_LOOKED_AT_FRAMES = 60
_LOOKED_AT_BYTES = 8 << 20
#: What user data with captions begins with, read as UTF-8 in which what is none is U+FFFD: ATSC A/53 (part 4, 6.2.3),
#: and the DVD's (0x43 43 01 F8). A mark that stands there by chance costs one reading of the pictures.
_CAPTION_MARKS = ("GA94\x03", "CC\x01\ufffd")
_TEXT = frozenset({
    *("mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text", CAPTIONS),
    *("microdvd", "jacosub", "mpl2", "pjs", "realtext", "sami", "stl", "subviewer", "subviewer1", "vplayer"),
})  # fmt: skip
_PICTURES = {
    "hdmv_pgs_subtitle": "Blu-ray (PGS)",
    "dvd_subtitle": "DVD (VobSub)",
    "dvb_subtitle": "DVB",
    "xsub": "DivX (XSUB)",
}

_LOOK_S = 0.05
_BYTES_PER_S = 1_000_000  # of a slow disk that others read, too: the whole file is read once
_SMALLEST_WALL_LIMIT_S = 120.0
_NICE = 10  # nobody waits at a black screen for them


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """What became of one track: its cues, or the reason why there are none."""

    track: SubtitleTrack
    cues: tuple[Cue, ...] = ()
    reason: str = ""


def subtitle_tracks(source: Source) -> tuple[SubtitleTrack, ...]:
    """The subtitle streams of a source, in its order. Pure."""
    return _one_default(tuple(_tracks(source)))


def caption_stream(source: Source) -> int | None:
    """The video stream, where its codec may carry captions: whether it does is looked at later, in its pictures."""
    video = source.video
    return video.index if video is not None and video.codec in _CAPTIONED_CODECS else None


def _tracks(source: Source) -> Iterator[SubtitleTrack]:
    for number, stream in enumerate(source.subtitles[:MAX_TRACKS], start=1):
        language = bcp47(stream.language)
        yield SubtitleTrack(
            number=number,
            name=f"subs-{number}-{(language or 'und').lower()}",
            stream_index=stream.index,
            codec=stream.codec,
            language=language,
            title=plain(stream.title or "") or None,
            default="default" in stream.dispositions,
            forced="forced" in stream.dispositions,
            hearing_impaired="hearing_impaired" in stream.dispositions or stream.codec == CAPTIONS,
            refusal=_refusal(stream.codec, copied=source.set_aside_subtitles is not None),
        )


def _captions_track(plan: Plan, stream_index: int) -> SubtitleTrack:
    number = max((track.number for track in plan.subtitles), default=0) + 1
    return SubtitleTrack(
        number=number,
        name=f"subs-{number}-und",
        stream_index=stream_index,
        codec=CAPTIONS,
        in_picture=True,
        language=None,  # CEA-608 doesn't say
        title="Closed captions",
        default=False,
        forced=False,
        hearing_impaired=True,
        refusal=None,
    )


def _refusal(codec: str, *, copied: bool) -> str | None:
    """Why a track is not converted; None where it is."""
    if codec in _PICTURES:
        return f"{_PICTURES[codec]} subtitles are pictures, not text: they can't be converted."
    if codec not in _TEXT or copied:
        return f"Subtitles of this kind ({codec}) can't be converted."
    return None


def _one_default(tracks: tuple[SubtitleTrack, ...]) -> tuple[SubtitleTrack, ...]:
    """At most one track is shown without being asked for: the first convertible one that the source calls so."""
    chosen = next((track.number for track in tracks if track.default and track.refusal is None), None)
    return tuple(replace(track, default=track.number == chosen) for track in tracks)


def text_command(tracks: Iterable[SubtitleTrack], source: str) -> list[str]:
    """Write the text of `tracks` to files of `_output_name`, all by one reading of the file."""
    body = [
        "-copyts",  # the source's own clock: the plan's origin is taken off afterwards
        *INPUT_GUARDS,
        *("-i", source),
    ]
    for track in tracks:
        body += [
            *("-map", f"0:{track.stream_index}"),
            # ffmpeg's decoders know the markup of the others; of ASS they take drawings for text.
            *("-c:s", "copy" if track.codec in _ASS else "webvtt"),
            *("-avoid_negative_ts", "disabled"),  # a track that begins before the picture must not be moved
            *("-fs", str(MAX_FILE_BYTES * 4)),  # no film has 8 MB of text
            *("-f", "ass" if track.codec in _ASS else "webvtt"),
            _output_name(track),
        ]
    return body


def captions_command(track: SubtitleTrack, source: str) -> list[str]:
    """Write the captions in the picture to `<number>.vtt`; `source` is a plain name in the working folder."""
    guards = dict(zip(INPUT_GUARDS[::2], INPUT_GUARDS[1::2], strict=True))
    # Twice escaped: for the graph by the quotes, for the filter's options by the backslash. The movie filter opens the
    # file by itself: what guards every other input has to be said to it.
    options = (
        rf"format_whitelist={guards['-format_whitelist']}\:protocol_whitelist={guards['-protocol_whitelist']}"
    )
    graph = f"movie={source}:si={track.stream_index}:format_opts='{options}'[out0+subcc]"
    return [
        "-copyts",
        *("-f", "lavfi"),
        *("-i", graph),
        *("-map", "0:s"),
        *("-c:s", "webvtt"),
        *("-avoid_negative_ts", "disabled"),
        *("-fs", str(MAX_FILE_BYTES * 4)),
        *("-f", "webvtt"),
        _output_name(track),
    ]


def _output_name(track: SubtitleTrack) -> str:
    return f"{track.number}.{'ass' if track.codec in _ASS else 'vtt'}"


def extract(
    plan: Plan, source: Path, tools: Toolchain, scratch: Path, *, cancel: threading.Event | None = None
) -> tuple[Extracted, ...]:
    """What every convertible track of `plan` says, on its time line; `source` is the file that was planned.

    A track that can't be read costs the others nothing. Raises Cancelled, FfmpegInterrupted, OSError.
    """
    wanted = [track for track in plan.subtitles if track.refusal is None]
    cancel = cancel or threading.Event()
    reasons: dict[int, str] = {}
    with scratch_folder(scratch) as folder:
        (folder / "source").symlink_to(source.absolute())
        _take(wanted, source, tools, folder, cancel, reasons)
        if plan.caption_stream is not None and has_captions(source, plan.caption_stream, tools):
            captions = _captions_track(plan, plan.caption_stream)
            _take([captions], source, tools, folder, cancel, reasons)
            wanted.append(captions)
        extracted = []
        for track in wanted:
            cues = () if track.number in reasons else _read(folder / _output_name(track), plan)
            reason = reasons.get(track.number, "" if cues else "This track has no text.")
            if cues or not track.in_picture:  # many broadcasts send captions that are empty throughout
                extracted.append(Extracted(track=track, cues=cues, reason=reason))
    return tuple(extracted)


def has_captions(source: Path, stream_index: int, tools: Toolchain) -> bool:
    """Whether the first pictures of a stream carry captions. Raises what `run_tool` raises but LimitExceeded."""
    body = [
        *INPUT_GUARDS,
        *("-i", str(source.absolute())),
        *("-map", f"0:{stream_index}"),
        *("-c", "copy"),  # nothing is decoded: the marks stand in the packets as they are
        *("-frames:v", str(_LOOKED_AT_FRAMES)),
        *("-fs", str(_LOOKED_AT_BYTES)),
        *("-f", "data", "pipe:1"),
    ]
    argv = (str(tools.ffmpeg.path), "-nostdin", "-v", "error", *body)
    try:
        result = run_tool(argv, wall_limit_s=60.0, nice=_NICE)
    except LimitExceeded:
        return False
    return any(mark in result.stdout for mark in _CAPTION_MARKS)


def _take(
    group: list[SubtitleTrack],
    source: Path,
    tools: Toolchain,
    folder: Path,
    cancel: threading.Event,
    reasons: dict[int, str],
) -> None:
    """Run ffmpeg for all of them, and where that fails for each alone: one broken track must not take the others."""
    if not group:
        return
    try:
        _run(group, source, tools, folder, cancel)
    except (FfmpegFailed, LimitExceeded) as error:
        if len(group) == 1:
            last = (
                error.stderr_tail[-1] if isinstance(error, FfmpegFailed) and error.stderr_tail else str(error)
            )
            reasons[group[0].number] = f"This track can't be read: {last.partition(chr(10))[0][:200]}"
            return
        for track in group:
            with suppress(FileNotFoundError):
                (folder / _output_name(track)).unlink()
            _take([track], source, tools, folder, cancel, reasons)


def _run(
    group: list[SubtitleTrack], source: Path, tools: Toolchain, folder: Path, cancel: threading.Event
) -> None:
    in_picture = group[0].in_picture
    body = captions_command(group[0], "source") if in_picture else text_command(group, str(source.absolute()))
    limits = Limits(
        wall_s=max(_SMALLEST_WALL_LIMIT_S, source.stat().st_size / _BYTES_PER_S),
        cpu_s=6 * 3600.0,
        output_bytes=len(group) * MAX_FILE_BYTES * 5,
        nice=_NICE,
    )
    with start(ffmpeg_argv(tools.ffmpeg.path, body), scratch=folder, limits=limits) as run:
        while not run.wait_for(_LOOK_S):
            if cancel.is_set():
                run.cancel()
                run.wait()
                raise Cancelled("nobody needs these subtitles any more")
        run.wait()


def _read(path: Path, plan: Plan) -> tuple[Cue, ...]:
    with suppress(FileNotFoundError):
        text = path.read_text(encoding="utf-8", errors="replace")
        return in_order(
            parse_muxed_ass(text) if path.suffix == ".ass" else parse(text, "vtt"),
            offset_ms=-round(plan.origin_s * 1000),
            end_ms=round(plan.duration_s * 1000),
        )
    return ()
