"""Command lines of sound as pure functions of a plan; see `command` for the rules.

A chunk is encoded with frames before and after it, which are dropped, so that its neighbours' frames fit to its own.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, gcd

from .command import copy_seek_options, seek_options
from .limits import INPUT_GUARDS
from .plan import AudioTrack, Plan
from .settings import AAC_FRAME_SAMPLES

#: Before the first kept sample: decoders settle, and seeks land by the picture's keyframes.
AUDIO_PREROLL_S = Fraction(2)

#: Dropped from the output. A steady sine after a joint: 3 % noise with 8, 0.1 % with 24 and more: the encoder settles.
AUDIO_PREROLL_FRAMES = 24
AUDIO_POSTROLL_FRAMES = 3  # the last kept frame overlaps the next one, and its block type looks one further
AAC_PRIMING_FRAMES = 1  # ffmpeg's AAC encoder answers one frame late

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
#: Surround to stereo as ITU-R BS.775-4 has it: centre and sides 3 dB softer, the effects channel left out.
#: rematrix_maxval: the sum is not turned down, which by default depends on the sample format of the source.
_MIX_LEVELS = ":clev=0.70710678:slev=0.70710678:lfe_mix_level=0:rematrix_maxval=8"

#: A gap or overlap in the sound's time stamps that counts, in seconds: a lost frame of 20 ms does, jitter does not.
MIN_GAP_S = "0.015"


def audio_command(plan: Plan, track: AudioTrack, chunk: int, source: str, output: str) -> list[str]:
    """Encode one chunk of a track, with frames before and after that are dropped from the output (`audio_window`)."""
    first, frames = audio_window(track, chunk)
    start, samples = first * AAC_FRAME_SAMPLES, frames * AAC_FRAME_SAMPLES
    rate = track.sample_rate_hz
    # The resampler begins on a sample that both rates have, else every chunk would have a phase of its own.
    begin = start - start % (rate // gcd(rate, track.source_rate_hz))
    begin_source = begin * track.source_rate_hz // rate
    begin_s = Fraction(begin, rate) - AUDIO_PREROLL_S
    graph = ",".join(
        (
            f"asettb=1/{track.source_rate_hz}",  # whole samples
            # The time line begins at the picture's; what a container rounded is put back on the codec's frames.
            f"asetpts={_sample_time(track)},asetpts=PTS-({round(plan.origin_s * track.source_rate_hz)})",
            f"atrim=start_pts={begin_source}",  # to the sample, which dropping after resampling would not be
            # Gaps become silence and overlaps are cut, from that sample on (counted at the source's rate); never
            # stretched. A single lost frame counts: the next chunk is placed by the clock, and sound must not jump.
            f"aresample={rate}:async=1:min_hard_comp={MIN_GAP_S}:first_pts={begin_source}"
            f"{mix_levels(track.channels, track.source_channels)}",
            *levelled(track.channels, track.source_channels, track.gain_centibels),
            "apad",  # silence without end where the source ends early ...
            # ... cut to exactly what is promised
            f"atrim=start_sample={start - begin}:end_sample={start - begin + samples}",
            "asetpts=N/SR/TB",
        )
    )
    return [
        *seek_options(plan, begin_s if begin_s > 0 else None),
        *INPUT_GUARDS,
        *("-threads", "1"),  # as for the picture: same bytes anywhere
        *("-i", source),
        *("-filter_complex_threads", "1"),
        *("-filter_complex", f"[0:{track.stream_index}]{graph}[a]"),
        *("-map", "[a]"),
        *("-c:a", "aac"),
        *("-b:a", str(track.bitrate_bps)),
        *("-threads", "1"),
        *("-flags:a", "+bitexact"),  # no encoder name in the frames, no code that depends on the CPU
        *_frame_fragments(),
        output,
    ]


def mix_levels(channels: int, source_channels: int) -> str:
    """Options of the `aresample` before `levelled`, which is where channels are mixed."""
    return _MIX_LEVELS if channels < source_channels else ""


def levelled(channels: int, source_channels: int, gain_centibels: int = 0) -> tuple[str, ...]:
    """Filters from a source's channels to a track's, as loud as it is to be. Measuring and encoding share them."""
    filters = [f"aformat=sample_fmts=fltp:channel_layouts={_LAYOUTS[channels]}"]
    if gain_centibels:
        filters.append(f"volume={gain_centibels / 10:.1f}dB:precision=float")
    if channels < source_channels:
        # Where all channels are loud at once their sum is beyond full scale, rarely and for moments: what a limiter
        # is for. Turning the whole track down by 7.7 dB, so that it never is, makes speech too soft for everybody.
        # latency=1: its look-ahead must not move the sound.
        filters.append("alimiter=limit=0.891:level=disabled:attack=5:release=50:latency=1")
    return tuple(filters)


def audio_copy_command(plan: Plan, track: AudioTrack, chunk: int, source: str, output: str) -> list[str]:
    """Copy the AAC frames of one chunk of a copied track."""
    if track.copy_base_pts is None or track.copy_first_frame is None:
        raise ValueError(f"{track.name} is not a copy.")
    start, end = track.timeline.chunk_ticks(chunk)
    base_s = track.copy_base_pts * track.source_time_base
    first_s = base_s + Fraction(track.copy_first_frame * AAC_FRAME_SAMPLES + start, track.sample_rate_hz)
    half_a_frame_s = Fraction(AAC_FRAME_SAMPLES, 2 * track.sample_rate_hz)
    return [
        *copy_seek_options(first_s - half_a_frame_s),
        *INPUT_GUARDS,
        *("-i", source),
        *("-map", f"0:{track.stream_index}"),
        *("-c", "copy"),
        # Seeking goes by the picture's keyframes: drop the sound before the one we want.
        *("-copypriorss", "0"),
        *("-frames:a", str((end - start) // AAC_FRAME_SAMPLES)),
        *_frame_fragments(),
        output,
    ]


def audio_window(track: AudioTrack, chunk: int) -> tuple[int, int]:
    """First AAC frame that `audio_command` feeds to the encoder, and how many it feeds.

    The encoder answers with `AAC_PRIMING_FRAMES` more in front; the chunk's own begin at
    `AAC_PRIMING_FRAMES + chunk_first - first`.
    """
    start, end = (ticks // AAC_FRAME_SAMPLES for ticks in track.timeline.chunk_ticks(chunk))
    first = max(0, start - AUDIO_PREROLL_FRAMES)
    return first, end + AUDIO_POSTROLL_FRAMES - first


def _sample_time(track: AudioTrack) -> str:
    """An `asetpts` expression: the frame's time in samples of the source."""
    frames = track.source_frames
    if frames is None:
        return "PTS"
    # By its end: the decoder cuts the priming off the front of the first frame, rounded once more, hence two ticks.
    # What is farther off than that is left alone.
    end = f"round((PTS+NB_SAMPLES-{frames.base})/{frames.samples})*{frames.samples}+{frames.base}"
    tolerance = ceil(2 * track.source_rate_hz * track.source_time_base)
    return f"'st(0,{end}-NB_SAMPLES);if(lte(abs(PTS-ld(0)),{tolerance}),ld(0),PTS)'"


def _frame_fragments() -> list[str]:
    return [
        *("-map_metadata", "-1"),
        *("-map_chapters", "-1"),
        *("-fflags", "+bitexact"),
        # A fragment per AAC frame: segments are put together from frames by number (cmaf.audio_segment), so it does
        # not matter which times ffmpeg writes, and the edit list for the priming that we drop is left out.
        *("-movflags", "frag_every_frame+empty_moov+default_base_moof+skip_trailer"),
        *("-use_editlist", "0"),
        *("-flush_packets", "1"),
        *("-f", "mp4"),
    ]
