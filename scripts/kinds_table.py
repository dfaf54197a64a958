"""Write docs/reference/kinds.md: what becomes of every kind of source, measured.

    .venv/bin/python scripts/kinds_table.py [NAME ...]

Encodes the clips of ../shared/clips (or RUSHES_CLIPS) and the films of tests/proof/odd_kinds.py, some minutes on two
cores. With names only those are measured, and the page keeps its other rows. Status 1 where a bound is not kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the films and the measures are the tests' own

from rushes.engine import EngineError  # noqa: E402
from rushes.engine.binaries import toolchain  # noqa: E402
from tests.proof.odd_files import ODD_FILES  # noqa: E402
from tests.proof.odd_kinds import ODD_KINDS  # noqa: E402
from tests.proof.result import Result, result_of  # noqa: E402
from tests.proof.test_frames import LEADING  # noqa: E402

PAGE = ROOT / "docs" / "reference" / "kinds.md"
CLIPS = Path(os.environ.get("RUSHES_CLIPS", ROOT.parent / "shared" / "clips"))
AV_FRAMES, SEAM_DIP, MID_GREY = 1.0, 0.005, 0.05

HEAD = """# What becomes of every kind of source

Made by `scripts/kinds_table.py` with ffmpeg {version}; don't edit. Each source is encoded by `rushes encode --no-copy`
and compared with a plain decode of the file and with one ffmpeg process that encodes all of it.

- *copied*: by default the source itself is the top rung, not an encode of it.
- *RSS*: the most memory of any one process, in MB (`rushes` itself has about 45).
- *A/V*: how late the sound is against the picture at the start and at the end, in frames; at most 1.
- *SSIM*: against the one process, at the largest rung of up to 480 lines.
- *Seam*: how much worse than the one process's the 6 pictures on both sides of the worst beginning of a chunk are, by
  SSIM against what went into the encoders; at most 0.005. *Alike*: how much less like the one process's they are than
  the 24 beside those. Elsewhere the two are often the same bit by bit; where the encoder begins anew they are not, and
  each may be the better.
- *Grey*: how far mid-grey of HDR is from the reference chain (zscale, hable); at most 5 %.

A figure is left out where there is nothing to measure: no picture or no sound, silence where it would be looked at,
less than a fifth of a second of sound, no second chunk (so no seam), no HDR, or no mid-grey in it.

| source | result | rungs | copied | sound | RSS | A/V start | A/V end | SSIM | seam | alike | grey |
|---|---|---|---|---|--:|--:|--:|--:|--:|--:|--:|
"""


def sources() -> dict[str, Callable[[Path], Path]]:
    """Each source in the order of the page, and what makes it in a folder."""
    clips = sorted(CLIPS.iterdir()) if CLIPS.is_dir() else []
    return {
        **{clip.name: lambda _, clip=clip: clip for clip in clips if clip.suffix != ".tsv"},
        **{kind.name: kind.make for kind in ODD_KINDS},
        **ODD_FILES,
    }


def row(name: str, found: Result) -> str:
    """A line of the table."""
    said = "; ".join(filter(None, [found.said, *found.warnings])).replace("|", "/")
    cells = (
        name,
        f"**{found.state}**" + (f": {said}" if said else ""),
        " ".join(found.rungs),
        "yes" if found.copied else "",
        f"{found.audio or ''}{', silent' if found.silent else ''}",
        _figure(found.peak_rss_mb, "{:.0f}"),
        _figure(found.av_start_frames, "{:+.2f}"),
        _figure(found.av_end_frames, "{:+.2f}"),
        _figure(found.ssim, "{:.4f}"),
        _figure(found.seam_dip, "{:+.4f}"),
        _figure(found.seam_likeness_dip, "{:+.4f}"),
        _figure(None if found.mid_grey_error is None else found.mid_grey_error * 100, "{:.1f} %"),
    )
    return f"| {' | '.join(cells)} |"


def broken(name: str, found: Result) -> list[str]:
    """The bounds that a result does not keep."""
    checks = (
        ("A/V at the start", found.av_start_frames, AV_FRAMES),
        ("A/V at the end", found.av_end_frames, AV_FRAMES),
        ("seam", found.seam_dip, SEAM_DIP),
        ("mid-grey", found.mid_grey_error, MID_GREY),
    )
    return [f"{name}: {what} is {value:.4f}" for what, value, bound in checks if abs(value or 0) > bound]


def main(names: list[str]) -> int:
    """Measure, write the page, and say what is out of bounds."""
    known, complaints = sources(), []
    with tempfile.TemporaryDirectory(prefix="kinds-") as temporary:
        for name in names or known:
            folder = Path(temporary) / "work"
            folder.mkdir()
            try:
                found = result_of(known[name](folder), folder, leading=LEADING.get(name, 0))
            except (AssertionError, ValueError, OSError, EngineError) as error:
                found = Result(state="not measured", said=str(error).splitlines()[-1] if str(error) else "")
                complaints.append(f"{name}: not measured")
            shutil.rmtree(folder, ignore_errors=True)
            complaints += broken(name, found)
            _write(list(known), name, row(name, found))
            print(row(name, found), flush=True)
    print("\n".join(complaints), file=sys.stderr)
    return 1 if complaints else 0


def _write(order: list[str], name: str, line: str) -> None:
    """Put a row into its place on the page; what is measured is not lost where a later source takes too long."""
    text = PAGE.read_text() if PAGE.exists() else ""
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")} | {
        name: line
    }
    body = "".join(f"{rows[known]}\n" for known in order if known in rows)
    PAGE.write_text(HEAD.format(version=toolchain().ffmpeg.version) + body)


def _figure(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
