"""Photos: seconds, CPU and memory of one, and the least address space in which fifty megapixels can be decoded.

Usage: .venv/bin/python benchmarks/bench_photos.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from rushes.engine.photo import Recipe, command
from rushes.engine.process import FfmpegFailed, scratch_folder, start

KINDS = {"JPEG": "progressive=True, quality=90", "PNG": "compress_level=1", "WEBP": "quality=80, method=0"}
KINDS |= {"HEIF": "quality=60", "AVIF": "speed=10, quality=60"}
SIZES = {"12 MP": (4032, 3024), "50 MP": (8192, 6144)}
MIB = 1 << 20
#: Made in a process of its own: Linux hands the memory mark of whoever starts a program on to it.
MAKE = """
import sys, pillow_heif
from PIL import Image
pillow_heif.register_heif_opener()
noise = Image.effect_noise((512, 384), 60).convert("RGB").resize(({width}, {height}), Image.Resampling.BICUBIC)
noise.convert("{mode}").save(sys.argv[1], "{kind}", {options})
"""


def main() -> None:
    """Print a table."""
    print(f"{'photo':14}{'wall s':>8}{'CPU s':>8}{'RSS MB':>8}{'least address space MB':>24}")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for title, (width, height) in SIZES.items():
            for kind, options in KINDS.items():
                for mode in ("RGB", "RGBA") if kind == "PNG" else ("RGB",):
                    code = MAKE.format(width=width, height=height, mode=mode, kind=kind, options=options)
                    subprocess.run([sys.executable, "-c", code, str(root / "photo")], check=True)
                    wall_s, cpu_s, rss = measured(root / "photo", root, Recipe())
                    least = next(
                        m for m in (256, 512, 1024, 1536, 2048, 4096) if fits(root / "photo", root, m * MIB)
                    )
                    print(
                        f"{title + ' ' + kind + mode[3:]:14}{wall_s:8.2f}{cpu_s:8.2f}{rss / 1e6:8.0f}{least:24}"
                    )


def measured(photo: Path, root: Path, recipe: Recipe) -> tuple[float, float, int]:
    """Seconds, CPU seconds and peak memory in bytes."""
    with scratch_folder(root) as folder:
        done = start(command(photo, folder, recipe), scratch=folder).wait()
        return done.wall_s, done.cpu_s, done.max_rss_bytes


def fits(photo: Path, root: Path, memory_bytes: int) -> bool:
    """Whether it can be made within that address space."""
    try:
        measured(photo, root, replace(Recipe(), memory_bytes=memory_bytes))
    except FfmpegFailed:
        return False
    return True


if __name__ == "__main__":
    main()
