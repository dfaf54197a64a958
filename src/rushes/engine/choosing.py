"""Which encoders a machine has for the codecs that somebody wants, and what is to be said of those it has not."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from .binaries import Toolchain
from .encoders import CODEC_NAMES, GPU_NAMES, SOFTWARE, Codec, Encoder, Gpu, parse_codecs
from .gpu import GpuUnusable, proven


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The codecs that can be made, hardware encoders for some of them, and a sentence for each wish not granted."""

    codecs: tuple[Codec, ...] = ("h264",)
    encoders: tuple[Encoder, ...] = ()  # for every other codec the software's
    refusals: tuple[str, ...] = ()


def choose(gpu: Gpu | None, codecs: Collection[Codec], tools: Toolchain, scratch: Path) -> Choice:
    """Hardware encoders where one is asked for and passes its test, else software; codecs for which there is neither
    are left out, but for H.264.

    The first call for a `gpu` takes up to half a minute a codec; the answers are kept as long as the process lives.
    Raises FfmpegInterrupted.
    """
    made: list[Codec] = []
    encoders: list[Encoder] = []
    refusals: list[str] = []
    for codec in codecs:
        software = SOFTWARE[codec].name
        there = codec == "h264" or software in tools.capabilities["encoder"]
        if gpu is not None:
            try:
                encoders.append(proven(gpu, codec, tools.ffmpeg.path, scratch))
                there = True
            except GpuUnusable as error:
                instead = f"{software} is used instead" if there else "and there is no other"
                refusals.append(
                    f"The {GPU_NAMES[gpu]} encoder for {CODEC_NAMES[codec]} did not pass its test on this server, "
                    f"{instead}: {error}."
                )
        elif not there:
            refusals.append(f"There are no {CODEC_NAMES[codec]} rungs: ffmpeg was built without {software}.")
        if there:
            made.append(codec)
    return Choice(codecs=tuple(made), encoders=tuple(encoders), refusals=tuple(refusals))


def configured(
    tools: Toolchain, scratch: Path, environ: Mapping[str, str] = os.environ
) -> tuple[Gpu | None, Choice]:
    """What RUSHES_GPU and RUSHES_CODECS ask for, and what there is of it. Raises ValueError, FfmpegInterrupted."""
    named = environ.get("RUSHES_GPU", "").strip()
    gpu = next((gpu for gpu in GPU_NAMES if gpu == named), None)
    if named and gpu is None:
        raise ValueError(f"RUSHES_GPU={named} is none of {', '.join(GPU_NAMES)}")
    codecs = parse_codecs(environ.get("RUSHES_CODECS", "").strip() or "h264")
    return gpu, choose(gpu, codecs, tools, scratch)
