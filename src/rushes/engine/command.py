"""Command lines as pure functions of a plan: what follows `ffmpeg_argv`'s own options, each flag's reason beside it.

A segment's bytes depend on the plan alone: the same chunk bounds, one thread per encoder and filter, and the same chain
of scalers, each rung from the next larger, so that a rung made alone (the lead) equals the same rung made in the
ladder, byte for byte.
Output files are named relative to the run's scratch folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

from .encoder_options import device_options, encoder_options, upload_filters
from .limits import INPUT_GUARDS
from .plan import Plan, Rung
from .treatment import (
    Treatment,
    field_filters,
    finish_filters,
    flatten_filters,
    scale_options,
    scaled_format,
)

#: How far before the plan's entry decoding begins; where an attempt gave decode errors, the next is further back, at
#: last at the beginning of the source (None).
BACKS_S: tuple[Fraction | None, ...] = (Fraction(0), Fraction(20), None)
#: ffmpeg's expression language prints to the log at this level (AV_LOG_WARNING), which every run shows.
_PRINT_LEVEL = 24


def ladder_command(
    plan: Plan,
    rungs: Sequence[Rung],
    chunk: int,
    source: str,
    outputs: Sequence[str],
    back_s: Fraction | None = Fraction(0),
) -> list[str]:
    """Decode chunk `chunk` once and encode it for each of `rungs` into the file beside it in `outputs`.

    Decoding enters the source `back_s` before the plan's entry, or at its beginning (None).
    The times (seconds, source clock) of the first decoded frame and of every keyframe are printed on stderr as
    `[Eval @ 0x...] [warning] 8.333333`.
    """
    grid = plan.grid
    if grid is None or not rungs or len(rungs) != len(outputs):
        raise ValueError("A ladder needs a grid, and an output for each rung.")
    first, end = (ticks // grid.ticks_per_frame for ticks in rungs[0].timeline.chunk_ticks(chunk))
    enter_s = entry_s(plan, chunk) - back_s if back_s is not None else None
    from_frame = 0 if enter_s is None else min(first, max(0, floor(enter_s * grid.rate)))
    arguments = [
        *device_options(rungs),
        *seek_options(plan, enter_s),
        # A picture that changes size must not start the frame count anew; scale adapts.
        *("-reinit_filter", "0"),
        *INPUT_GUARDS,
        # Decoder: parallelism belongs between chunks (25-35 % sooner), and damage decodes alike.
        *("-threads", "1"),
        *("-i", source),
        *("-filter_threads", "1"),
        *("-filter_complex_threads", "1"),  # same bytes whatever the machine
        *("-filter_complex", _video_graph(plan, rungs, from_frame, first, end)),
    ]
    for number, (rung, output) in enumerate(zip(rungs, outputs, strict=True)):
        arguments += ["-map", f"[v{number}]", *_encoder(plan, rung, chunk), *fragmented_mp4(), output]
    return arguments


def copy_command(plan: Plan, rung: Rung, chunk: int, source: str, output: str) -> list[str]:
    """Copy the packets of one chunk of a copied rung, a fragment per group of pictures."""
    if rung.copy_chunk_packets is None:
        raise ValueError(f"{rung.name} is not a copy.")
    start, _ = rung.timeline.chunk_ticks(chunk)
    packets = rung.copy_chunk_packets[chunk + 1] - rung.copy_chunk_packets[chunk]
    tick = Fraction(1, rung.timeline.timescale)
    return [
        *copy_seek_options(plan.origin_s + start * tick - tick / 2),
        *INPUT_GUARDS,
        *("-i", source),
        *("-map", f"0:{rung.stream_index}"),
        *("-c", "copy"),
        *("-copypriorss", "0"),  # packets before the keyframe that we asked for belong to the chunk before
        *("-frames:v", str(packets)),  # exactly the chunk's; a time limit would round
        # The source's own ticks: nothing is rounded.
        *("-video_track_timescale", str(rung.timeline.timescale)),
        *("-output_ts_offset", seconds(-plan.origin_s)),  # tfdt counts from the beginning of the time line
        *fragmented_mp4(),
        output,
    ]


def entry_s(plan: Plan, chunk: int) -> Fraction:
    """The plan's entry for a chunk, on the time line; 0 or less is the beginning of the source."""
    assert plan.video_time_base is not None
    return plan.entries[chunk] * plan.video_time_base - plan.origin_s


def seek_options(plan: Plan, time_s: Fraction | None) -> list[str]:
    """Input options: start decoding at the keyframe at or before `time_s` of the time line; None: at the beginning."""
    arguments = [
        "-copyts",  # the source's own clock; we place frames on the grid ourselves
        # Damage is judged by what is said of it; by default a chunk of which two thirds can't be decoded is an error.
        *("-max_error_rate", "1"),
    ]
    if time_s is not None and time_s > 0:
        arguments += [
            # The time is the clock's, not counted from the container's start_time (P2).
            *("-seek_timestamp", "1"),
            "-noaccurate_seek",  # no frame is dropped for its time: the filter graph counts them
            # A millisecond late: the time of a keyframe, cut to microseconds, would be before it.
            *("-ss", seconds(plan.origin_s + time_s + Fraction(1, 1000))),
        ]
    return arguments


def copy_seek_options(time_s: Fraction) -> list[str]:
    """Input options: copy from the first packet at or after `time_s` of the source's clock."""
    arguments = ["-copyts"]  # tfdt must be absolute
    if time_s > 0:
        # Accurate, unlike for decoding: then -copypriorss knows where the copy begins.
        arguments += ["-seek_timestamp", "1", "-ss", seconds(time_s)]
    return arguments


def _video_graph(plan: Plan, rungs: Sequence[Rung], from_frame: int, first: int, end: int) -> str:
    grid, treatment = plan.grid, plan.treatment
    assert grid is not None
    assert treatment is not None
    origin_ticks = round(plan.origin_s * grid.timescale)
    chain = ",".join(
        (
            # The times of the first decoded frame and of every keyframe go to the log: decoding must have begun at or
            # before the chunk (P2), and errors before a later keyframe do not reach the chunk.
            f"select='if(key+eq(n,0),print(t,{_PRINT_LEVEL}),0);1'",
            # What the source says beside its pictures (how bright HDR gets, captions) is not true of what is encoded.
            "sidedata=mode=delete",
            # In the source's own time, in which each field has its place.
            *field_filters(treatment),
            # A tick of which a frame has a whole number: rounding is the same in every chunk.
            f"settb=1/{grid.timescale}",
            f"setpts=PTS-({origin_ticks})",
            # Frames to the grid; its first is where the run-up begins, padded with the first picture if that is late.
            f"fps={grid.rate}:start_time={seconds(from_frame / grid.rate)}:round=near",
            # The plan is a promise: where the source ends early, its last picture stays ...
            "tpad=stop=-1:stop_mode=clone",
            # ... and by count, never by time: exactly the chunk's frames.
            f"trim=start_frame={first - from_frame}:end_frame={end - from_frame}",
            "setpts=N",  # the encoder starts at 0; the muxer adds the chunk's start
            *flatten_filters(treatment),
        )
    )
    # What the source says of all its pictures goes with the graph, not with the frames, and as far as a split's first
    # output: without this the bytes of a rung would depend on which others are made.
    return (
        f"[0:{rungs[0].stream_index}]{chain},split[beside][shown];[beside]nullsink;"
        f"[shown]{_scalers(rungs, treatment)}"
    )


def _scalers(rungs: Sequence[Rung], treatment: Treatment) -> str:
    """The rest of the graph: every size down to the smallest wanted, each from the one before; [v0] ... as in `rungs`.

    From the next larger size scaling costs half of what it costs from the source: 4 % of a whole encode. HDR is scaled
    as HDR and tone-mapped at each size: the lead rung, for which somebody waits, pays for its own few pixels alone.
    Rungs of one size, which differ in their codecs, share it.
    """
    smallest = min(rungs, key=lambda rung: rung.width * rung.height)
    sizes = (*smallest.scaled_through, (smallest.width, smallest.height))
    finish = ",".join(finish_filters(treatment))
    graph, uploads = "", ""
    for step, size in enumerate(sizes):
        taken: list[str] = []
        for number, rung in enumerate(rungs):
            if (rung.width, rung.height) == size:
                upload = upload_filters(rung)
                taken.append(f"[u{number}]" if upload else f"[v{number}]")
                uploads += f";[u{number}]{upload}[v{number}]" if upload else ""
        last = step == len(sizes) - 1
        graph += _scale(*size, scale_options(treatment, first=step == 0), scaled_format(treatment)) + ","
        if taken:
            graph += finish if last else f"split[t{step}][s{step}];[t{step}]{finish}"
            graph += f",split={len(taken)}{''.join(taken)}" if len(taken) > 1 else taken[0]
            graph += "" if last else f";[s{step}]"
    return graph + uploads


def _scale(width: int, height: int, options: str, pix_fmt: str) -> str:
    # accurate_rnd+bitexact: the same pixels from every SIMD path
    return (
        f"scale={width}:{height}:flags=bicubic+accurate_rnd+bitexact{options},"
        "setsar=1,"  # the size already holds the source's aspect; rounding to even must not leave a SAR of 1.003
        f"format={pix_fmt}"  # in the end 8-bit 4:2:0, which every player's decoder takes
    )


def _encoder(plan: Plan, rung: Rung, chunk: int) -> list[str]:
    grid, timeline = plan.grid, rung.timeline
    assert grid is not None
    segments = timeline.chunk_segments(chunk)
    gop = (timeline.bounds[segments.start + 1] - timeline.bounds[segments.start]) // grid.ticks_per_frame
    return [
        *encoder_options(rung, gop),
        *("-threads", "1"),  # encoder: other counts give other bytes, and chunks are the parallelism
        *("-flags:v", "+bitexact"),
        # The graph has counted the frames: the muxer must not drop or repeat any.
        *("-fps_mode:v", "passthrough"),
        *("-video_track_timescale", str(timeline.timescale)),
        # tfdt is absolute in the file as written: no patching, and chunks can be made in any order.
        *("-output_ts_offset", seconds(timeline.start_s(segments.start))),
    ]


def fragmented_mp4() -> list[str]:
    """Output options: a file of which each whole fragment can be published while the next is being written."""
    return [
        *("-map_metadata", "-1"),  # nothing of the uploader's (location!) leaks into segments
        *("-map_chapters", "-1"),  # chapters would become a text track of their own
        *("-fflags", "+bitexact"),  # no muxer version, no creation time
        # A fragment per keyframe; the moov once the B-frame delay is known (it goes into the edit list, so tfdt
        # stays exact); offsets relative to the moof, as CMAF wants; decode times as they are, not from 0; no mfra.
        *("-movflags", "frag_keyframe+delay_moov+default_base_moof+frag_discont+skip_trailer"),
        # A finished fragment is in the file at once: whoever waits gets it before the next.
        *("-flush_packets", "1"),
        *("-f", "mp4"),
    ]


def seconds(time_s: Fraction) -> str:
    """Decimal seconds, exact to a nanosecond; ffmpeg itself keeps microseconds."""
    return f"{float(time_s):.9f}".rstrip("0").rstrip(".") or "0"
