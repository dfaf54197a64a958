"""Four players in Chromium on a 60 s 1080p source that is being encoded meanwhile, at normal speed.

Bounds, for each: no fatal error, one buffered range, the position gains at least 0.95x of wall time from the first
moving picture to the end, and no stall of more than 1 s.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from measuring import machine, playing, report, source, workshop
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.e2e.conftest import FLAGS
from tests.e2e.watching import start

PLAYERS = {"hls.js, our page": "", "Chromium's own HLS": "native", "Shaka": "shaka", "dash.js": "dash"}
DURATION_S = 60
PATIENCE_MS = 4 * DURATION_S * 1000


def one_run(browser: Browser, clip: Path, path: str, *, copied: bool) -> dict[str, float]:
    """What one player went through from a standing start."""
    with playing(clip, copied=copied) as url:
        page = browser.new_page()
        start(page, url + path)
        page.wait_for_timeout(DURATION_S * 1000)
        waited_ms = 0
        while (
            not page.evaluate("window.__rushes.ended !== null || window.__rushes.fatal")
            and waited_ms < PATIENCE_MS
        ):
            page.wait_for_timeout(100)
            waited_ms += 100
        seen = page.evaluate(
            """() => { const { ended, firstMoved, fatal, stalls, ranges } = window.__rushes;
                       const video = document.querySelector('video');
                       return { took: (ended ?? performance.now() / 1000) - firstMoved, fatal, ranges: ranges.length,
                                stall: Math.max(0, ...stalls.map(s => s.duration)), at: video.currentTime,
                                height: video.videoHeight } }"""
        )
        page.close()
        return dict(seen)


def main() -> None:
    """Measure and print."""
    print(f"# bench_playback on {machine()}")
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not on this machine")
    with workshop() as folder, sync_playwright() as playwright:
        clip = source(folder, DURATION_S)
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=list(FLAGS))
        for copied in (True, False):
            for name, path in PLAYERS.items():
                seen = one_run(browser, clip, path, copied=copied)
                what = f"{name}, {'copied' if copied else 'encoded'}"
                report(f"{what}: wall time / time played", seen["took"] / seen["at"], 1 / 0.95)
                report(f"{what}: longest stall", seen["stall"], 1.0, " s")
                report(f"{what}: fatal errors", seen["fatal"], 0)
                report(f"{what}: buffered ranges", seen["ranges"], 1)
                report(f"{what}: lines of the last picture", seen["height"])
        browser.close()


if __name__ == "__main__":
    main()
