"""Make the clip that `make run` plays when it is given none: 60 s of 1080p30 with a clock and a tone."""

import os
import subprocess
import sys
from pathlib import Path

from rushes.engine.binaries import toolchain

DURATION_S = 60
RATE = 30


def make_demo_clip(output: Path) -> None:
    """Write the clip to `output`, by way of a temporary name: a clip that is there is whole."""
    tools = toolchain()
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_suffix(".part.mp4")
    # testsrc shows the seconds in large digits by itself, so that no font is needed.
    picture = f"testsrc=size=1920x1080:rate={RATE}:duration={DURATION_S}:decimals=2"
    # One beep a second on a quiet tone, to hear whether sound and picture are together.
    sound = f"sine=frequency=220:beep_factor=4:sample_rate=48000:duration={DURATION_S}"
    try:
        subprocess.run(
            [
                *(str(tools.ffmpeg.path), "-hide_banner", "-nostdin", "-v", "error", "-y"),
                *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound),
                # A keyframe every 2 s, as phones do it: without, copying the source as the top rung has long segments.
                *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(2 * RATE)),
                *("-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart", str(unfinished)),
            ],
            check=True,
        )
        os.replace(unfinished, output)
    finally:
        unfinished.unlink(missing_ok=True)


if __name__ == "__main__":
    destination = Path(sys.argv[1])
    print(f"Making a clip of {DURATION_S} s to play: {destination}", flush=True)
    make_demo_clip(destination)
