"""What becomes of one source by `rushes encode`, held against one plain process: a row of docs/reference/kinds.md."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rushes.engine import EngineError
from rushes.engine.binaries import toolchain
from rushes.engine.plan import Plan, Rung, from_json
from rushes.engine.prepare import prepared
from rushes.engine.records import STATE_FOLDER
from rushes.engine.settings import Settings
from rushes.engine.treatment import REFERENCE_WHITE_NITS
from tests.proof.assembled import decode, one_process
from tests.proof.counter import Pictures, ssim
from tests.proof.kinds import run_ffmpeg

_MEASURED_LINES = 480  # of several rungs the largest up to here: the measure, not the machine, is the point
_LONGEST_S = 600  # what is longer is encoded and not compared
_HZ = 48_000
_AROUND_SEAM, _BESIDE_SEAM = 6, 30  # pictures on both sides
# Linux hands the mark of what spawns on through vfork, so a bare interpreter spawns: it has little, and forks.
_WEIGHED = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""
_MID_GREY = (100, 140)  # luma that counts as mid-grey in the reference


@dataclass(frozen=True, kw_only=True)
class Result:
    """Figures are None where there is nothing to measure."""

    state: str  # "ready", "refused", "failed"
    said: str = ""  # the sentence of a refusal or failure
    rungs: tuple[str, ...] = ()
    copied: bool = False  # the source itself is the top rung, by default
    audio: int = 0
    silent: bool = False  # the first track, in the source
    warnings: tuple[str, ...] = ()
    peak_rss_mb: float | None = None
    av_start_frames: float | None = None
    av_end_frames: float | None = None
    ssim: float | None = None
    seam_dip: float | None = None
    seam_likeness_dip: float | None = None
    mid_grey_error: float | None = None  # relative, of the luma of mid-grey pixels


def result_of(path: Path, folder: Path, *, leading: int = 0) -> Result:
    """Encode the file at `path` below `folder` and measure; `leading` as for `one_process`."""
    out = folder / "encoded"
    status, rss_mb, lines, said = _rushes_encode(path, out)
    plan_path = out / STATE_FOLDER / "plan.json"
    if not plan_path.exists():
        return Result(state="refused", said=said, peak_rss_mb=rss_mb)
    plan = from_json(plan_path.read_bytes())
    found = Result(
        state="ready" if status == 0 else "failed",
        said="" if status == 0 else said,
        rungs=tuple(rung.name for rung in plan.rungs),
        copied=_is_copied(path, folder),
        audio=len(plan.audio),
        warnings=tuple(lines[-1].get("warnings", ())) if lines else (),
        peak_rss_mb=rss_mb,
    )
    if status or not plan.rungs or plan.duration_s > _LONGEST_S:
        return found
    return _measured(found, path, plan, out, folder, leading)


def _rushes_encode(path: Path, out: Path) -> tuple[int, float, list[dict[str, object]], str]:
    """Exit status, peak memory of any of its processes in MB, its lines, and what it said last on stderr."""
    argv = [sys.executable, "-m", "rushes", "encode", str(path), "-o", str(out), "--no-copy", "--json"]
    with (
        tempfile.TemporaryDirectory() as temporary,
        tempfile.TemporaryFile("w+") as stdout,
        tempfile.TemporaryFile("w+") as stderr,
    ):
        weighed = Path(temporary) / "kilobytes"
        weigh = [sys.executable, "-I", "-S", "-c", _WEIGHED, str(weighed), *argv]
        status = subprocess.run(weigh, stdout=stdout, stderr=stderr, check=False).returncode
        rss_mb = int(weighed.read_text()) / 1024
        stdout.seek(0)
        stderr.seek(0)
        lines = [json.loads(line) for line in stdout if line.startswith("{")]
        said = [line.strip() for line in stderr if line.strip()]
    return status, rss_mb, lines, said[-1] if said else ""


def _is_copied(path: Path, folder: Path) -> bool:
    try:
        with prepared(path, Settings(), toolchain(), folder / "planned") as ready:
            return ready.plan.copied_rung is not None
    except EngineError:
        return False


def _measured(found: Result, path: Path, plan: Plan, out: Path, folder: Path, leading: int) -> Result:
    small = [rung for rung in plan.rungs if min(rung.width, rung.height) <= _MEASURED_LINES]
    rung = small[0] if small else plan.rungs[-1]
    size = (rung.width, rung.height)
    ours = decode(_joined(out, rung), size).pictures
    bare = one_process(path, plan, rung, folder / "bare.mp4", leading=leading)
    theirs = decode(bare, size).pictures
    count = min(len(ours), len(theirs))
    likeness = ssim(ours[:count], theirs[:count])
    found = replace(found, ssim=float(likeness.mean()), seam_likeness_dip=_likeness_dip(likeness, plan, rung))
    if found.seam_likeness_dip is not None:
        shown = decode(
            one_process(path, plan, rung, folder / "shown.mkv", leading=leading, lossless=True), size
        ).pictures
        count = min(count, len(shown))
        qualities = (ssim(each[:count], shown[:count]) for each in (ours, theirs))
        found = replace(found, seam_dip=_seam_dip(*qualities, plan, rung))
    if len(ours) != len(theirs):
        found = replace(found, state=f"{len(ours)} pictures of {len(theirs)}")
    if plan.treatment is not None and plan.treatment.tone_mapped:
        found = replace(found, mid_grey_error=_mid_grey_error(path, plan, rung, ours, folder))
    if plan.audio and plan.grid is not None:
        lag = _Lag(path, plan, out, leading)
        start, end = (
            None
            if (sound := lag.of_sound(at_end)) is None
            else float(sound * plan.grid.rate) - lag.of_picture(ours[:count], theirs[:count], at_end)
            for at_end in (False, True)
        )
        found = replace(found, silent=lag.silent, av_start_frames=start, av_end_frames=end)
    return found


def _joined(out: Path, rung: Rung) -> Path:
    path = out / f"{rung.name}-joined.mp4"
    names = [rung.init_name, *map(rung.segment_name, range(rung.timeline.segment_count))]
    path.write_bytes(b"".join((out / name).read_bytes() for name in names))
    return path


def _seams(plan: Plan, rung: Rung) -> list[int]:
    """The first pictures of all chunks but the first."""
    assert plan.grid is not None
    timeline = rung.timeline
    return [timeline.bounds[segment] // plan.grid.ticks_per_frame for segment in timeline.chunks[1:-1]]


def _seam_dip(ours: NDArray[np.float64], theirs: NDArray[np.float64], plan: Plan, rung: Rung) -> float | None:
    """How much worse our pictures are than those of the one process around the beginning of a chunk; at the worst.

    Both are what SSIM says of each against the picture that was encoded.
    """
    near = (slice(max(0, seam - _AROUND_SEAM), seam + _AROUND_SEAM) for seam in _seams(plan, rung))
    return max((float(theirs[part].mean() - ours[part].mean()) for part in near), default=None)


def _likeness_dip(likeness: NDArray[np.float64], plan: Plan, rung: Rung) -> float | None:
    """How much less like the one process the pictures around a chunk's beginning are than those beside them.

    At the worst seam. Not than all: how alike two encodes are changes with what is in the picture.
    """
    dips = []
    for seam in _seams(plan, rung):
        near = slice(max(0, seam - _AROUND_SEAM), seam + _AROUND_SEAM)
        beside = (
            likeness[max(0, seam - _BESIDE_SEAM) : near.start],
            likeness[near.stop : seam + _BESIDE_SEAM],
        )
        if sum(map(len, beside)):
            dips.append(float(np.concatenate(beside).mean() - likeness[near].mean()))
    return max(dips, default=None)


def _mid_grey_error(path: Path, plan: Plan, rung: Rung, ours: Pictures, folder: Path) -> float | None:
    """Against the chain of ENGINE.md section 1, run by ffmpeg alone on the source."""
    treatment, grid = plan.treatment, plan.grid
    assert treatment is not None
    assert grid is not None
    assert plan.first_picture_s is not None
    decoded = treatment.decoded
    lead_s = plan.first_picture_s - plan.origin_s
    graph = (
        # The pictures of the plan's grid: of a video with a variable rate its own are of other moments.
        f"settb=1/{grid.timescale},setpts=PTS-STARTPTS+{round(lead_s * grid.timescale)},"
        f"fps={grid.rate}:start_time=0,"
        f"setparams=colorspace={decoded.matrix}:color_trc={decoded.transfer}:color_primaries={decoded.primaries},"
        f"scale={rung.width}:{rung.height}:flags=bicubic,zscale=t=linear:npl={REFERENCE_WHITE_NITS},"
        "format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0,zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
    )
    reference = folder / "reference.mkv"
    run_ffmpeg(
        ["-i", str(path), "-map", "0:V:0", "-vf", graph, "-c:v", "ffv1", "-frames:v", "30", str(reference)]
    )
    truth = decode(reference, (rung.width, rung.height)).pictures
    count = min(len(truth), len(ours))
    wanted = np.asarray(truth[:count], dtype=np.float64)
    grey = (wanted >= _MID_GREY[0]) & (wanted <= _MID_GREY[1])
    if not grey.any():
        return None
    return float(abs(np.asarray(ours[:count], dtype=np.float64)[grey].mean() / wanted[grey].mean() - 1))


class _Lag:
    """How late picture and sound are against a plain decode of the source, in seconds and frames."""

    _WINDOW_S, _REACH_S, _EDGE_S = 1.0, 0.25, 0.3
    _SHORTEST_WINDOW_S, _SILENCE = 0.1, 1e-3

    def __init__(self, path: Path, plan: Plan, out: Path, leading: int) -> None:
        track = plan.audio[0]
        joined = out / "sound-joined.mp4"
        names = [track.init_name, *map(track.segment_name, range(track.timeline.segment_count))]
        joined.write_bytes(b"".join((out / name).read_bytes() for name in names))
        self._ours = _samples(["-i", str(joined), "-map", "0:a:0"])
        # On the original's own clock, not on that of a copy that we made.
        origin_s = _first_picture_s(path, leading) - ((plan.first_picture_s or Fraction(0)) - plan.origin_s)
        resampled = f"aresample={_HZ}:async=1:min_hard_comp=0.015:first_pts={round(origin_s * _HZ)}"
        self._theirs = _samples(["-copyts", "-i", str(path), "-map", "0:a:0", "-af", resampled])

    @property
    def silent(self) -> bool:
        """Whether nothing is to be heard in the source."""
        return len(self._theirs) == 0 or float(np.abs(self._theirs).max()) < self._SILENCE

    def of_sound(self, at_end: bool) -> Fraction | None:
        """Positive: late. None where there is no sound to compare, or less than a fifth of a second."""
        total = min(len(self._ours), len(self._theirs))
        # What lasts a second is not left without a figure: less of it is held against less.
        edge, reach = min(round(self._EDGE_S * _HZ), total // 10), min(round(self._REACH_S * _HZ), total // 8)
        window = min(round(self._WINDOW_S * _HZ), total - 2 * edge - 2 * reach)
        if window < round(self._SHORTEST_WINDOW_S * _HZ):
            return None
        first = total - edge - reach - window if at_end else edge + reach
        theirs = self._theirs[first : first + window]
        ours = self._ours[first - reach : first + window + reach]
        if np.abs(theirs).max() < self._SILENCE:
            return None
        length = 1 << (len(ours) + len(theirs)).bit_length()
        product = np.fft.rfft(ours, length) * np.conj(np.fft.rfft(theirs, length))
        found = np.fft.irfft(product, length)[: 2 * reach + 1]
        return Fraction(int(np.argmax(found)) - reach, _HZ)

    def of_picture(self, ours: Pictures, theirs: Pictures, at_end: bool) -> int:
        """Whole frames by which ours are late, as SSIM finds them; 0 where nothing moves."""
        count, shifts = len(ours), (0, -1, 1, -2, 2, -3, 3)
        width = min(8, max(0, count - 8))
        if not width:
            return 0
        first = count - width - 4 if at_end else 4
        scores = [
            float(ssim(ours[first : first + width], theirs[first - shift : first - shift + width]).mean())
            for shift in shifts
        ]
        best = int(np.argmax(scores))
        return shifts[best] if scores[best] > scores[0] + 0.002 else 0


def _samples(arguments: Sequence[str]) -> NDArray[np.float32]:
    raw = run_ffmpeg([*arguments, "-ac", "1", "-ar", str(_HZ), "-f", "f32le", "-"])
    return np.frombuffer(raw, dtype="<f4")


def _first_picture_s(path: Path, leading: int) -> Fraction:
    """When ffmpeg shows the first picture that it decodes, on the file's own clock; of those behind `leading`."""
    rows = run_ffmpeg(
        [
            *("-copyts", "-i", str(path), "-map", "0:V:0", "-fps_mode", "passthrough", "-frames:v", "1"),
            *("-vf", f"select=gte(n\\,{leading})"),
            *("-s", "16x16", "-enc_time_base", "1:90000", "-f", "framecrc", "-"),
        ]
    ).decode()
    first = next(row for row in rows.splitlines() if row and not row.startswith("#"))
    return Fraction(int(first.split(",")[2]), 90_000)
