"""Take the README's picture: the page of `rushes play` while it encodes a clip that is made here, after a seek.

Needs Chromium and the development packages. Usage: .venv/bin/python scripts/screenshot.py docs/images/play.png
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from rushes.engine.binaries import toolchain

SEEK_S = 44
WINDOW = {"width": 1280, "height": 1080}


def take(url: str, output: Path) -> None:
    """Watch for a moment, seek ahead of the encoder, and take the picture once that plays."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-background-networking"],
        )
        page = browser.new_page(viewport=WINDOW)
        page.goto(url)
        expect(page.locator("#rungs .word").first).to_have_text(re.compile("[1-9][0-9] %"), timeout=60_000)
        page.locator("media-play-button").click()
        wait_for_position(page, 2)
        page.evaluate("s => { document.querySelector('video').currentTime = s }", SEEK_S)
        wait_for_position(page, SEEK_S + 3)
        page.mouse.move(640, 300)  # shows the controls
        page.wait_for_timeout(600)  # they fade in
        page.screenshot(path=output)
        browser.close()


def make_evening(output: Path) -> None:
    """Write a minute of 1080p30 in the colours of an evening sky."""
    colours = "c0=0x1b1035:c1=0x7a2e5d:c2=0xe8743b:c3=0xf9d27a"
    sky = f"gradients=size=1920x1080:rate=30:duration=60:{colours}:nb_colors=4:seed=11:speed=0.012"
    subprocess.run(
        [
            *(str(toolchain().ffmpeg.path), "-v", "error", "-f", "lavfi", "-i", sky),
            *("-f", "lavfi", "-i", "sine=220:sample_rate=48000", "-shortest"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", str(output)),
        ],
        check=True,
    )


def wait_for_position(page: Page, position_s: float) -> None:
    """Until the video has played to there."""
    while page.evaluate("document.querySelector('video').currentTime") < position_s:
        page.wait_for_timeout(50)


def main(output: Path) -> None:
    """Make the clip, serve it, take the picture."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "An evening by the sea.mp4"
        make_evening(clip)
        command = [sys.executable, "-m", "rushes", "play", str(clip), "--port", "0", "--no-copy"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                take(server.stdout.readline().strip(), output)
            finally:
                server.terminate()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
