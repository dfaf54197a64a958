"""`rushes probe`: every stream of a file, and what its packets say."""

import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rushes.engine.binaries import toolchain
from rushes.engine.examine import examined
from rushes.engine.index import longest_gop_s, usual_gap
from rushes.engine.probe import probe as probe_source
from rushes.engine.remux import needs_remux
from rushes.engine.source import (
    AudioStream,
    OtherStream,
    PacketIndex,
    Source,
    Stream,
    SubtitleStream,
    VideoStream,
)

if TYPE_CHECKING:
    from rich.console import Console

_KINDS: dict[type[Stream], str] = {VideoStream: "video", AudioStream: "audio", SubtitleStream: "subtitle"}


@click.command()
@click.argument("input_path", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The whole description as JSON, for machines.")
def probe(input_path: Path, as_json: bool) -> None:
    """Describe every stream of INPUT. Exit status 1, with the reason, for what can't be played."""
    tools = toolchain()
    source = examined(probe_source(input_path, tools), tools)
    if as_json:
        click.echo(json.dumps(describe(source), indent=2, ensure_ascii=False))
        return
    from rich.console import Console  # slow to import, and only people need it

    show(source, Console())


def describe(source: Source) -> dict[str, Any]:
    """The source as JSON: rates and time bases as "30000/1001", times in ticks, seconds where the name says so."""
    return {
        "path": str(source.path),
        "key": source.key,
        "size_bytes": source.size_bytes,
        "formats": sorted(source.formats),
        "claimed_duration_s": None if source.duration_s is None else _seconds(source.duration_s),
        "duration_s": _seconds(duration_s(source)),
        "complete": source.complete,
        "needs_remux": needs_remux(source),
        "index_wall_s": round(source.index_wall_s, 3),
        "warnings": list(source.warnings),
        "video": source.video.index if source.video else None,
        "streams": [_describe_stream(stream, source.packets.get(stream.index)) for stream in source.streams],
    }


def duration_s(source: Source) -> Fraction:
    """From the first packet of the planned streams to the end of their last."""
    spans = [
        (min(index.pts) * stream.time_base, (max(index.pts) + index.last_duration) * stream.time_base)
        for stream in source.streams
        if (index := source.packets.get(stream.index)) is not None
    ]
    return max(end for _, end in spans) - min(start for start, _ in spans)


def _describe_stream(stream: Stream, index: PacketIndex | None) -> dict[str, Any]:
    description: dict[str, Any] = {"kind": _kind(stream)}
    description |= {field.name: _plain(getattr(stream, field.name)) for field in fields(stream)}
    if isinstance(stream, VideoStream):
        description["display_size"] = list(stream.display_size)
    if index is not None:
        description["packets"] = _describe_packets(stream, index)
    return description


def _kind(stream: Stream) -> str:
    return stream.kind if isinstance(stream, OtherStream) else _KINDS[type(stream)]


def _describe_packets(stream: Stream, index: PacketIndex) -> dict[str, Any]:
    return {
        "count": len(index),
        "first_pts": min(index.pts),
        "last_pts": max(index.pts),
        "last_duration": index.last_duration,
        "usual_gap": usual_gap(index),
        "size_bytes": sum(index.size_bytes),
        "keyframes": len(index.keyframes),
        "longest_gop_s": _seconds(longest_gop_s(index, stream.time_base)) if index.keyframes else None,
        "discarded": index.discarded,
        "corrupt": index.corrupt,
        "empty": index.empty,
        "untimed": index.untimed,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, frozenset):
        return sorted(value)
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _seconds(value: Fraction) -> float:
    return round(float(value), 6)


def show(source: Source, console: "Console") -> None:
    """Print a table for people."""
    from rich.table import Table
    from rich.text import Text  # titles and names come from the file: never read them as markup

    console.print(Text(source.path.name, style="bold"), soft_wrap=True)
    console.print(
        f"{'/'.join(sorted(source.formats))}, {source.size_bytes / 1e6:.1f} MB, {_clock(duration_s(source))}, "
        f"key {source.key}",
        soft_wrap=True,
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("#", "stream", "codec", "what", "starts at", "packets"):
        table.add_column(heading, overflow="fold")
    for stream in source.streams:
        index = source.packets.get(stream.index)
        chosen = "*" if stream is source.video else ""
        starts = "" if stream.first_pts is None else f"{float(stream.first_pts * stream.time_base):.3f} s"
        cells = (
            *(f"{stream.index}{chosen}", _kind(stream), stream.codec, _what(stream), starts),
            "" if index is None else _packets_in_words(stream, index),
        )
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    if needs_remux(source):
        console.print("Seeks in this format are not exact: it is copied into another container first.")
    for warning in source.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))


def _what(stream: Stream) -> str:
    named = [part for part in (stream.language, stream.title) if part]
    named += sorted(stream.dispositions)
    if isinstance(stream, VideoStream):
        return ", ".join([*_picture(stream), *named])
    if isinstance(stream, AudioStream):
        return ", ".join(
            [f"{stream.sample_rate_hz} Hz", stream.layout or f"{stream.channels} channels", *named]
        )
    return ", ".join(named)


def _picture(stream: VideoStream) -> list[str]:
    words = [f"{stream.width}x{stream.height}"]
    if stream.display_size != (stream.width, stream.height):
        words.append("shown as {}x{}".format(*stream.display_size))
    rate = stream.average_rate or stream.nominal_rate
    if rate is not None:
        words.append(f"{float(rate):.3f}".rstrip("0").rstrip(".") + " fps")
    if stream.rotation_deg:
        words.append(f"turned {stream.rotation_deg}°")
    if stream.mirrored:
        words.append("mirrored")
    if stream.interlaced:
        words.append("a film in fields" if stream.scan == "film" else "interlaced")
    if stream.hdr != "sdr":
        words.append(stream.hdr.upper())
    return [
        *words,
        *([stream.pix_fmt] if stream.pix_fmt else []),
        *([stream.profile] if stream.profile else []),
    ]


def _packets_in_words(stream: Stream, index: PacketIndex) -> str:
    words = f"{len(index)}"
    if isinstance(stream, VideoStream) and index.keyframes:
        words += (
            f", {len(index.keyframes)} key, GOP up to {float(longest_gop_s(index, stream.time_base)):.1f} s"
        )
    counts = (("hidden", index.discarded), ("damaged", index.corrupt), ("empty", index.empty))
    return words + "".join(f", {count} {name}" for name, count in counts if count)


def _clock(duration: Fraction) -> str:
    minutes, seconds = divmod(float(duration), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:05.2f}" if hours else f"{minutes}:{seconds:05.2f}"
