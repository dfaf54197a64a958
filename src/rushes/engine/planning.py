"""Makes the plan of a source: a pure function of (source, settings, encoder build)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import msgspec

from .entries import chunk_entries
from .frametimes import frame_times
from .grid import Grid, choose_grid, first_picture_s
from .ladder import rung_name
from .plan import PLAN_VERSION, AudioTrack, Plan, Rung, encode_fraction, language_tag, to_json
from .rungs import encoded_rungs
from .settings import (
    AAC_FRAME_SAMPLES,
    AUDIO_CHUNK_SEGMENTS,
    AUDIO_RATE_HZ,
    CHUNK_SEGMENTS,
    COMMAND_VERSION,
    OPENING_SEGMENT_S,
    SEGMENT_S,
    SURROUND_CHANNELS,
    Settings,
)
from .source import AudioStream, Source, VideoStream
from .streamcopy import AudioCut, VideoCut, audio_cut, video_cut
from .subtitles import caption_stream, subtitle_tracks
from .timeline import Timeline, audio_timeline, video_timeline
from .treatment import treatment_of


def make_plan(
    source: Source, settings: Settings, encoder_build: str, gains: Mapping[str, int] | None = None
) -> Plan:
    """The plan for a source; `gains` are centibels by the name of an audio track, where its loudness is to be changed.

    Raises ValueError where the source has neither video nor audio that can be planned.
    """
    video, warnings = source.video, list(source.warnings)
    spans = {track.index: _span_s(source, track) for track in source.audio}
    grid: Grid | None = None
    if video is not None:
        grid = choose_grid(video, source.packets[video.index], tuple(spans.values()))
        origin_s, duration_s = grid.origin_s, grid.duration_s
        along = video_timeline(
            grid.frames,
            grid.ticks_per_frame,
            grid.timescale,
            grid.rate,
            segment_s=SEGMENT_S,
            opening_s=OPENING_SEGMENT_S,
            chunk_segments=CHUNK_SEGMENTS,
        )
        warnings += _picture_warnings(video)
    elif spans:
        origin_s = min(start for start, _ in spans.values())
        duration_s = max(end for _, end in spans.values()) - origin_s
        along = video_timeline(
            max(1, -(-duration_s * AUDIO_RATE_HZ // 1)),
            1,
            AUDIO_RATE_HZ,
            Fraction(AUDIO_RATE_HZ),
            segment_s=SEGMENT_S,
            opening_s=OPENING_SEGMENT_S,
            chunk_segments=CHUNK_SEGMENTS,
        )
    else:
        raise ValueError("There is neither video nor audio in this file.")

    maker = _Maker(source=source, settings=settings, encoder_build=encoder_build, origin_s=origin_s)
    rungs: tuple[Rung, ...] = ()
    refusal: str | None = None
    if video is not None and grid is not None:
        cut = maker.video_cut(video, grid)
        refusal = cut if isinstance(cut, str) else None
        rungs = tuple(maker.rungs(video, grid, along, cut if isinstance(cut, VideoCut) else None))
    gains = gains or {}
    numbered = list(enumerate(source.audio, start=1))
    stereo = tuple(maker.audio_track(number, track, along, duration_s, gains) for number, track in numbered)
    surround = tuple(
        maker.surround_track(number, track, along, gains)
        for number, track in numbered
        if track.channels >= SURROUND_CHANNELS
    )
    plan = Plan(
        version=PLAN_VERSION,
        key="",
        source_key=source.key,
        encoder_build=encoder_build,
        origin_s=origin_s,
        duration_s=duration_s,
        first_picture_s=first_picture_s(video, source.packets[video.index]) if video else None,
        video_time_base=video.time_base if video else None,
        display_size=video.display_size if video else None,
        entries=_entries(source, grid, along),
        grid=grid,
        treatment=treatment_of(video) if video else None,
        rungs=rungs,
        audio=(*_one_default(stereo), *surround),
        subtitles=subtitle_tracks(source),
        caption_stream=caption_stream(source),
        copy_refusal=refusal,
        warnings=(*settings.warnings, *warnings),
    )
    return replace(plan, key=hashlib.sha256(to_json(plan)).hexdigest()[:32])


@dataclass(frozen=True, kw_only=True)
class _Maker:
    """Makes renditions that share a source, settings and an encoder build."""

    source: Source
    settings: Settings
    encoder_build: str
    origin_s: Fraction

    def video_cut(self, video: VideoStream, grid: Grid) -> VideoCut | str:
        if not self.settings.copy:
            return "copying is switched off"
        return video_cut(
            video,
            self.source.packets[video.index],
            self.source.formats,
            grid,
            segment_s=SEGMENT_S,
            opening_s=OPENING_SEGMENT_S,
        )

    def rungs(self, video: VideoStream, grid: Grid, along: Timeline, cut: VideoCut | None) -> Iterator[Rung]:
        if cut is not None and video.codec_string is not None:
            rung = Rung(
                name=rung_name((video.width, video.height)),
                key="",
                method="copy",
                codec_string=video.codec_string,
                bandwidth_bps=cut.peak_bps,
                average_bandwidth_bps=cut.average_bps,
                stream_index=video.index,
                width=video.width,
                height=video.height,
                timeline=cut.timeline,
                copy_chunk_packets=cut.chunk_packets,
                copy_delay_ticks=cut.delay_ticks,
            )
            yield replace(rung, key=self._key(rung))
        for rung in encoded_rungs(video, grid.rate, along, self.settings, copied=cut is not None):
            yield replace(rung, key=self._key(rung, grid))

    def audio_track(
        self,
        number: int,
        stream: AudioStream,
        along: Timeline,
        duration_s: Fraction,
        gains: Mapping[str, int],
    ) -> AudioTrack:
        name = audio_name(number, stream)
        gain = gains.get(name, 0)
        cut: AudioCut | str = "copying is switched off"
        if self.settings.copy and not gain:  # what is copied is as loud as it is
            packets = self.source.packets[stream.index]
            cut = audio_cut(stream, packets, self.source.formats, self.origin_s, duration_s)
        copied = isinstance(cut, AudioCut)
        rate = stream.sample_rate_hz if copied else AUDIO_RATE_HZ
        bitrate = cut.bitrate_bps if isinstance(cut, AudioCut) else self.settings.audio_bitrate_bps
        timeline = audio_timeline(
            along, rate_hz=rate, frame_samples=AAC_FRAME_SAMPLES, chunk_segments=AUDIO_CHUNK_SEGMENTS
        )
        if isinstance(cut, AudioCut):
            timeline = _cut_short(timeline, cut.frames * AAC_FRAME_SAMPLES)
        track = AudioTrack(
            name=name,
            key="",
            method="copy" if copied else "encode",
            codec_string="mp4a.40.2",
            bandwidth_bps=bitrate * 5 // 4,
            average_bandwidth_bps=bitrate,
            stream_index=stream.index,
            number=number,
            language=stream.language,
            title=stream.title,
            default="default" in stream.dispositions,
            sample_rate_hz=rate,
            channels=min(stream.channels, 2),
            source_channels=stream.channels,
            gain_centibels=gain,
            bitrate_bps=bitrate,
            timeline=timeline,
            source_rate_hz=stream.sample_rate_hz,
            source_time_base=stream.time_base,
            source_frames=None if copied else frame_times(stream, self.source.packets[stream.index]),
            copy_base_pts=cut.base_pts if isinstance(cut, AudioCut) else None,
            copy_first_frame=cut.first_frame if isinstance(cut, AudioCut) else None,
        )
        return replace(track, key=self._key(track))

    def surround_track(
        self, number: int, stream: AudioStream, along: Timeline, gains: Mapping[str, int]
    ) -> AudioTrack:
        name = audio_name(number, stream, surround=True)
        bitrate = (
            self.settings.audio_bitrate_bps * 3
        )  # two pairs and a centre; the sixth channel needs next to nothing
        track = AudioTrack(
            name=name,
            key="",
            method="encode",
            codec_string="mp4a.40.2",
            bandwidth_bps=bitrate * 5 // 4,
            average_bandwidth_bps=bitrate,
            stream_index=stream.index,
            number=number,
            language=stream.language,
            title=stream.title,
            default=False,
            sample_rate_hz=AUDIO_RATE_HZ,
            channels=SURROUND_CHANNELS,
            source_channels=stream.channels,
            gain_centibels=gains.get(name, 0),
            bitrate_bps=bitrate,
            timeline=audio_timeline(
                along,
                rate_hz=AUDIO_RATE_HZ,
                frame_samples=AAC_FRAME_SAMPLES,
                chunk_segments=AUDIO_CHUNK_SEGMENTS,
            ),
            source_rate_hz=stream.sample_rate_hz,
            source_time_base=stream.time_base,
            source_frames=frame_times(stream, self.source.packets[stream.index]),
        )
        return replace(track, key=self._key(track))

    def _key(self, rendition: Rung | AudioTrack, grid: Grid | None = None) -> str:
        """Of everything that the rendition's bytes depend on; titles and languages are not among it."""
        told: dict[str, Any] = msgspec.to_builtins(rendition, enc_hook=encode_fraction)
        video = self.source.video
        treatment = treatment_of(video) if video is not None and grid is not None else None
        for name in ("name", "key", "language", "title", "default", "number"):
            told.pop(name, None)
        facts = (
            self.source.key,
            self.encoder_build,
            COMMAND_VERSION,
            encode_fraction(self.origin_s),
            told,
            msgspec.to_builtins(grid, enc_hook=encode_fraction),
            msgspec.to_builtins(treatment, enc_hook=encode_fraction),
        )
        return hashlib.sha256(msgspec.json.encode(facts, order="deterministic")).hexdigest()[:16]


def audio_name(number: int, stream: AudioStream, *, surround: bool = False) -> str:
    """The folder of a stream's track: `audio-1-eng`, and in surround `audio-1-eng-51`."""
    return f"audio-{number}-{language_tag(stream.language)}{'-51' if surround else ''}"


def _entries(source: Source, grid: Grid | None, along: Timeline) -> tuple[int, ...]:
    video = source.video
    if video is None or grid is None:
        return ()
    return chunk_entries(video, source.packets[video.index], source.formats, grid, along)


def _span_s(source: Source, track: AudioStream) -> tuple[Fraction, Fraction]:
    packets = source.packets[track.index]
    first = track.first_pts if track.first_pts is not None else min(packets.pts)
    return first * track.time_base, (max(packets.pts) + packets.last_duration) * track.time_base


def _cut_short(timeline: Timeline, end: int) -> Timeline:
    """The time line ended at tick `end`, which is at most one segment before its own end."""
    bounds = (*(bound for bound in timeline.bounds if bound < end), end)
    count = len(bounds) - 1
    return replace(timeline, bounds=bounds, chunks=(*(c for c in timeline.chunks if c < count), count))


def _one_default(audio: tuple[AudioTrack, ...]) -> tuple[AudioTrack, ...]:
    """HLS wants exactly one default in a group: the first that the source calls so, else the first."""
    chosen = next((track.number for track in audio if track.default), 1)
    return tuple(replace(track, default=track.number == chosen) for track in audio)


def _picture_warnings(video: VideoStream) -> Iterator[str]:
    if video.dolby_vision_profile == 5:
        yield "This is Dolby Vision without a base layer (profile 5): its colours may look wrong."
