"""Loudness by EBU R 128 (ITU-R BS.1770-5): of each audio track as it is heard, with its mix of channels.

The whole track is decoded once, all tracks by one process. What is measured of a source before it is planned gives the
one gain of each track, where a target is set: every chunk is made louder or softer alike, and the mix stays as it is.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .audio_command import levelled, mix_levels
from .limits import INPUT_GUARDS
from .plan import Plan
from .planning import audio_name
from .process import Cancelled, FfmpegFailed, Limits, ffmpeg_argv, start
from .settings import AUDIO_RATE_HZ, SURROUND_CHANNELS
from .source import Source

#: EBU R 128 and every service: peaks between samples stay below, so that no decoder clips.
MAX_TRUE_PEAK_DBTP = -1.0
#: What is softer than the gate of BS.1770 is silence, and is not made louder.
SILENCE_LUFS = -70.0
MAX_GAIN_DB = 20.0  # a room's noise should not become a roar

_LOOK_S = 0.05
_BYTES_PER_S = 1_000_000
_SMALLEST_WALL_LIMIT_S = 300.0
_SUMMARY = re.compile(r"\[ebur128@t(\d+) @")
_FIGURE = re.compile(r"^\s*(I|LRA|Peak):\s+(-?[\d.]+|-inf|inf|nan)\s+(?:LUFS|LU|dBFS)\s*$")


@dataclass(frozen=True, kw_only=True)
class Loudness:
    """Integrated loudness, loudness range, and the highest true peak; None for silence."""

    integrated_lufs: float | None
    range_lu: float | None
    true_peak_dbtp: float | None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A track that is measured: a stream and the channels in which it is heard."""

    name: str
    stream_index: int
    channels: int
    source_channels: int
    gain_centibels: int = 0


def heard_of(plan: Plan) -> tuple[Heard, ...]:
    """The tracks of a plan, each with its gain."""
    return tuple(
        Heard(
            name=track.name,
            stream_index=track.stream_index,
            channels=track.channels,
            source_channels=track.source_channels,
            gain_centibels=track.gain_centibels,
        )
        for track in plan.audio
    )


def heard_of_source(source: Source) -> tuple[Heard, ...]:
    """The tracks that a plan of this source will have."""
    tracks = []
    for number, stream in enumerate(source.audio, start=1):
        in_stereo = (False, min(stream.channels, 2))
        surrounds = [(True, SURROUND_CHANNELS)] if stream.channels >= SURROUND_CHANNELS else []
        for surround, channels in (in_stereo, *surrounds):
            tracks.append(
                Heard(
                    name=audio_name(number, stream, surround=surround),
                    stream_index=stream.index,
                    channels=channels,
                    source_channels=stream.channels,
                )
            )
    return tuple(tracks)


def gain_centibels(loudness: Loudness, target_lufs: float) -> int:
    """The gain that brings a track to the target, in tenths of a decibel; less where its peaks would clip.

    Silence stays silence. Pure.
    """
    if loudness.integrated_lufs is None or loudness.integrated_lufs <= SILENCE_LUFS:
        return 0
    gain_db = min(target_lufs - loudness.integrated_lufs, MAX_GAIN_DB)
    if loudness.true_peak_dbtp is not None and gain_db > 0:
        gain_db = max(0.0, min(gain_db, MAX_TRUE_PEAK_DBTP - loudness.true_peak_dbtp))
    return math.floor(gain_db * 10 + 0.5)


def loudness_command(tracks: Sequence[Heard], source: str) -> list[str]:
    """Measure every track of a file; what was measured is told on stderr when the file is at its end."""
    body = [
        *("-max_error_rate", "1"),  # damage is the chunks' business
        *INPUT_GUARDS,
        *("-vn", "-sn", "-dn"),
        *("-i", source),
        *("-loglevel", "level+info"),  # the summary is an information, not a warning
    ]
    for number, track in enumerate(tracks):
        chain = ",".join(
            (
                f"aresample={AUDIO_RATE_HZ}{mix_levels(track.channels, track.source_channels)}",
                *levelled(track.channels, track.source_channels, track.gain_centibels),
                # A line every 100 ms would be millions for a long film.
                f"ebur128@t{number}=framelog=quiet:peak=true",
            )
        )
        body += ["-map", f"0:{track.stream_index}", "-af", chain, "-f", "null", "-"]
    return body


def measure_loudness(
    tracks: Sequence[Heard],
    source: Path,
    ffmpeg: Path,
    scratch: Path,
    *,
    nice: int = 0,
    cancel: threading.Event | None = None,
) -> Mapping[str, Loudness]:
    """Loudness by the track's name, without those that cannot be decoded. Raises what `FfmpegRun.wait` raises.

    One track that cannot be decoded ends the run of all: then each is measured by itself.
    """
    if not tracks:
        return {}
    try:
        return _measured(tracks, source, ffmpeg, scratch, nice, cancel)
    except FfmpegFailed:
        if len(tracks) == 1:
            raise
    measured: dict[str, Loudness] = {}
    for track in tracks:
        with suppress(FfmpegFailed):
            measured |= _measured([track], source, ffmpeg, scratch, nice, cancel)
    return measured


def _measured(
    tracks: Sequence[Heard],
    source: Path,
    ffmpeg: Path,
    scratch: Path,
    nice: int,
    cancel: threading.Event | None,
) -> dict[str, Loudness]:
    """All of `tracks` by one process."""
    summary = SummaryReader()
    limits = Limits(
        wall_s=max(_SMALLEST_WALL_LIMIT_S, source.stat().st_size / _BYTES_PER_S), cpu_s=6 * 3600.0, nice=nice
    )
    argv = ffmpeg_argv(ffmpeg, loudness_command(tracks, str(source.absolute())))
    with start(argv, scratch=scratch, limits=limits, on_line=summary.feed) as run:
        while not run.wait_for(_LOOK_S):
            if cancel is not None and cancel.is_set():
                run.cancel()
                run.wait()
                raise Cancelled("nobody needs this measurement any more")
        run.wait()
    return {track.name: summary.of(number) for number, track in enumerate(tracks)}


class SummaryReader:
    """Reads the summaries of several `ebur128@t<number>` from ffmpeg's stderr."""

    def __init__(self) -> None:
        self._figures: dict[int, dict[str, float]] = {}
        self._number: int | None = None

    def feed(self, line: str) -> None:
        """Take the next line."""
        if match := _SUMMARY.search(line):
            self._number = int(match[1])
        elif line.startswith("["):
            self._number = None
        elif self._number is not None and (match := _FIGURE.match(line)):
            self._figures.setdefault(self._number, {}).setdefault(match[1], float(match[2]))

    def of(self, number: int) -> Loudness:
        """What was told of that one."""
        told = self._figures.get(number, {})
        integrated, peak = told.get("I"), told.get("Peak")
        silent = integrated is None or integrated <= SILENCE_LUFS
        return Loudness(
            integrated_lufs=None if silent else integrated,
            range_lu=None if silent else told.get("LRA"),
            true_peak_dbtp=peak if peak is not None and math.isfinite(peak) else None,
        )
