"""What a viewer does and sees, in words."""

import time
from typing import Any

from playwright.sync_api import Page

PATIENCE_S = 60.0


def start(page: Page, url: str, *, rate: float = 1.0) -> None:
    """Open the page and press play, as soon as there is something to play."""
    page.goto(url)
    page.evaluate(
        "rate => { const video = document.querySelector('video'); video.playbackRate = rate }", rate
    )
    page.evaluate("document.querySelector('video').play().catch(() => {})")
    # A play() that comes before the player has attached its media is forgotten.
    until(
        page,
        """() => { const video = document.querySelector('video');
                   if (video.paused && video.readyState > 1) video.play();
                   return window.__rushes.fatal || video.currentTime > 0 }""",
    )
    page.evaluate("rate => { document.querySelector('video').playbackRate = rate }", rate)


def until(page: Page, condition: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for a JavaScript expression to be true. (wait_for_function would be refused by the page's policy.)"""
    deadline_s = time.monotonic() + patience_s
    while not page.evaluate(condition):
        assert time.monotonic() < deadline_s, (condition, record(page))
        page.wait_for_timeout(50)


def until_ended(page: Page, patience_s: float = PATIENCE_S) -> None:
    """Until the video is over, or the player gave up."""
    until(page, "window.__rushes.ended !== null || window.__rushes.fatal", patience_s)


def seek(page: Page, position_s: float) -> None:
    page.evaluate("s => { document.querySelector('video').currentTime = s }", position_s)


def record(page: Page) -> dict[str, Any]:
    """What the page's player went through; see frontend/src/lib/record.js."""
    told: dict[str, Any] = page.evaluate(
        """() => { const { player, errors, fatal, stalls, seeks, levels, ranges, ended } = window.__rushes;
                   const video = document.querySelector('video');
                   return { player, errors, fatal, stalls, seeks, levels, ranges, ended,
                            position: video.currentTime, duration: video.duration } }"""
    )
    return told
