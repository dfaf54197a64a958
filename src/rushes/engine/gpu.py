"""Hardware encoders: chosen where somebody asks for them, and used only after they have encoded something here.

That a build of ffmpeg lists `h264_nvenc` says nothing of the machine: drivers, permissions and licences decide. So each
is given a second of video with the very options of a rung, and what it writes is held against the same promises.
"""

from __future__ import annotations

import logging
import re
from fractions import Fraction
from functools import cache
from pathlib import Path
from threading import Lock

from . import EngineError
from .cmaf import MalformedBoxes
from .codecstrings import codec_string, starts_afresh
from .command import fragmented_mp4
from .encoder_options import device_options, encoder_options, upload_filters
from .encoders import SOFTWARE, Codec, Encoder, Gpu, level_of
from .growing import FragmentReader
from .plan import Rung
from .process import FfmpegInterrupted, run_tool
from .scratch import scratch_folder
from .timeline import Timeline

log = logging.getLogger(__name__)

_SIZE, _RATE, _GOP, _FRAMES = (640, 360), 30, 15, 30
_CAP_BPS = 1_000_000
#: A driver that wakes a sleeping card takes seconds; one that hangs must not hold up the worker.
WALL_LIMIT_S = 30.0
#: High, Main and Main profile, with whatever constraints; the tier is Main.
_PROFILES: dict[Codec, re.Pattern[str]] = {
    "h264": re.compile(r"(?P<profile>avc1\.64[0-9a-f]{2})(?P<level>[0-9a-f]{2})(?P<rest>)"),
    "hevc": re.compile(r"(?P<profile>hvc1\.1\.[0-9A-F]+\.)(?P<level>L[0-9]+)(?P<rest>(\.[0-9A-F]+)*)"),
    "av1": re.compile(r"(?P<profile>av01\.0\.)(?P<level>[0-9]{2}M)(?P<rest>\.08)"),
}
_LEVELS: dict[Codec, str] = {"h264": "{level:02x}", "hevc": "L{level}", "av1": "{level:02}M"}
_proving = Lock()  # two tests at once might find a card with one session busy


class GpuUnusable(EngineError):
    """The hardware encoder did not pass its test; the message is one line that says why."""


def proven(gpu: Gpu, codec: Codec, ffmpeg: Path, scratch: Path) -> Encoder:
    """The hardware encoder for a codec, tested once in this process. Raises GpuUnusable, FfmpegInterrupted."""
    with _proving:
        found = _tested(gpu, codec, ffmpeg, scratch)
    if isinstance(found, str):
        raise GpuUnusable(found)
    return found


@cache
def _tested(gpu: Gpu, codec: Codec, ffmpeg: Path, scratch: Path) -> Encoder | str:
    try:
        encoder = prove(gpu, codec, ffmpeg, scratch)
    except FfmpegInterrupted:
        raise  # somebody ended it: that says nothing of the hardware, and is not remembered
    except (EngineError, OSError) as error:
        why = " ".join(str(error).split()).rstrip(".")
        log.warning("%s_%s cannot be used here: %s", codec, gpu, why)
        return why
    log.info("%s has passed its test", encoder.name)
    return encoder


def prove(gpu: Gpu, codec: Codec, ffmpeg: Path, scratch: Path) -> Encoder:
    """Encode a second of a test picture in two groups, and hold it against what a plan promises of a rung.

    What it is called in CODECS is read from the result: profile and level are as asked for, but which constraints an
    encoder claims is its own affair. Raises GpuUnusable, OSError, and what `run_tool` raises.
    """
    rung = _test_rung(gpu, codec)
    with scratch_folder(scratch) as folder:
        output = folder / "test.mp4"
        argv = [str(ffmpeg), *test_command(rung, str(output))]
        ran = run_tool(argv, wall_limit_s=WALL_LIMIT_S, scratch=folder)
        if ran.returncode != 0:
            raise GpuUnusable(_said(ran.stderr))
        reader = FragmentReader(output)
        try:
            fragments = reader.read_new()
            reader.finish()
            assert reader.init is not None  # finish() has seen it
            written = codec_string(reader.init)
        except (MalformedBoxes, FileNotFoundError) as error:
            raise GpuUnusable(f"what it wrote is not what was asked for: {error}") from error
    if [fragment.sample_count for fragment in fragments] != [_GOP] * (_FRAMES // _GOP):
        raise GpuUnusable("it does not put its keyframes where they were asked for")
    if not all(fragment.starts_with_sync and starts_afresh(fragment, codec) for fragment in fragments):
        raise GpuUnusable("its groups of pictures are open")
    return Encoder(name=f"{codec}_{gpu}", codec=codec, codec_form=_form(written, rung), gpu=gpu)


def test_command(rung: Rung, output: str) -> list[str]:
    """What follows the program's name: the test picture, encoded as a chunk of the rung would be."""
    picture = f"testsrc2=size={rung.width}x{rung.height}:rate={_RATE},format=yuv420p"
    upload = upload_filters(rung)
    return [
        *("-hide_banner", "-nostdin", "-loglevel", "error"),
        *device_options([rung]),
        *("-f", "lavfi", "-i", picture),
        *("-frames:v", str(_FRAMES)),
        *(("-vf", upload) if upload else ()),
        *encoder_options(rung, _GOP),
        *("-flags:v", "+bitexact"),
        *("-video_track_timescale", str(rung.timeline.timescale)),
        *fragmented_mp4(),
        output,
    ]


def _test_rung(gpu: Gpu, codec: Codec) -> Rung:
    level = level_of(codec, _SIZE, Fraction(_RATE), _CAP_BPS)
    return Rung(
        name="test",
        key="",
        method="encode",
        codec_string=SOFTWARE[codec].codec_string(level),
        bandwidth_bps=_CAP_BPS,
        average_bandwidth_bps=_CAP_BPS,
        stream_index=0,
        width=_SIZE[0],
        height=_SIZE[1],
        timeline=Timeline(timescale=_RATE * 1000, bounds=(0, _FRAMES * 1000), chunks=(0, 1)),
        encoder=f"{codec}_{gpu}",
        crf=25,
        maxrate_bps=_CAP_BPS,
        bufsize_bits=_CAP_BPS,
        level=level,
    )


def _form(written: str, rung: Rung) -> str:
    """The codec string that was written with its level left open. Raises GpuUnusable where that is not as asked for."""
    match, told = _PROFILES[rung.codec].fullmatch(written), _LEVELS[rung.codec].format(level=rung.level)
    if match is None or match["level"] != told:
        raise GpuUnusable(f"it wrote {written}; a profile and level as in {rung.codec_string} were asked for")
    return match["profile"] + _LEVELS[rung.codec] + match["rest"]


def _said(stderr: str) -> str:
    """The first line: what follows are consequences."""
    lines = [re.sub(r"^\[[^]]*\]\s*", "", line.strip()) for line in stderr.splitlines() if line.strip()]
    return lines[0] if lines else "it ended without a word"
