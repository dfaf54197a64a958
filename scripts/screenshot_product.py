"""Take the pictures of the product's pages: the library, and a video that plays while it is being encoded.

Needs Chromium and the development packages. Usage: .venv/bin/python scripts/screenshot_product.py docs/images
With --all, every page is taken at 360 and 1280 pixels, by day and by night, to be looked at.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from playwright.sync_api import Browser, Page, expect, sync_playwright

from rushes.engine.binaries import toolchain
from tests.crash.instance import Instance, product_environment, wait_until

PATIENCE_S = 120
LONG = "An evening by the sea"
#: Title, colours, seconds, size, seed.
CLIPS = (
    ("Snow in the pass", "c0=0x0b1f3a:c1=0x3f6f9e:c2=0xcfe3f2:c3=0xffffff", 8, "1280x720", 3),
    ("The wood in May", "c0=0x0e2a16:c1=0x2f6b34:c2=0x9cc25b:c3=0xf3f0c4", 14, "1280x720", 7),
    ("Grandmother's ninetieth", "c0=0x3a0d2e:c1=0xa8325e:c2=0xf08a7a:c3=0xffe1c7", 21, "720x1280", 5),
    (LONG, "c0=0x1b1035:c1=0x7a2e5d:c2=0xe8743b:c3=0xf9d27a", 90, "1920x1080", 11),
)


def make_clip(output: Path, colours: str, duration_s: int, size: str, seed: int) -> None:
    """Write a sky in these colours, with a tone."""
    sky = f"gradients=size={size}:rate=30:duration={duration_s}:{colours}:nb_colors=4:seed={seed}:speed=0.012"
    subprocess.run(
        [
            *(str(toolchain().ffmpeg.path), "-v", "error", "-f", "lavfi", "-i", sky),
            *("-f", "lavfi", "-i", "sine=220:sample_rate=48000", "-shortest"),
            # Two seconds of pictures between keyframes would be copied; such a long group is encoded.
            *("-c:v", "libx264", "-preset", "ultrafast", "-g", "600", "-pix_fmt", "yuv420p", str(output)),
        ],
        check=True,
    )


def sign_in(page: Page, url: str, var: Path) -> None:
    """As a person does."""
    told = json.loads((var / "credentials.json").read_text())
    page.goto(f"{url}/login/")
    page.get_by_label("Username").fill(told["username"])
    page.get_by_label("Password").fill(told["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")


def fill_library(instance: Instance, folder: Path) -> None:
    """Upload clips and a text; all but the last, which is long, are ready when this returns."""
    client = instance.client()
    letters = folder / "shopping list.txt"
    letters.write_text("milk, bread, a thousand reels of film\n" * 100)
    sent = [client.upload(letters, "shopping list")]
    for title, *kind in CLIPS:
        clip = folder / f"{title}.mp4"
        make_clip(clip, *kind)
        if title == LONG:
            break
        sent.append(client.upload(clip, title))
    wait_until(
        lambda: all(client.video(video["public_id"])["status"] in ("ready", "failed") for video in sent),
        PATIENCE_S,
        "the short clips are ready",
    )
    client.upload(folder / f"{LONG}.mp4", LONG)


def take_processing(page: Page, url: str, output: Path) -> None:
    """The page of the long clip, a few seconds into it."""
    page.goto(url)
    page.locator("#videos a", has_text=LONG).click()
    expect(page.locator("#rungs .word").first).to_have_text(
        re.compile("[1-9][0-9]* %"), timeout=PATIENCE_S * 1000
    )
    page.evaluate("document.querySelector('video').play()")
    while page.evaluate("document.querySelector('video').currentTime") < 3:
        page.wait_for_timeout(50)
    page.mouse.move(640, 300)  # shows the controls
    page.wait_for_timeout(600)  # they fade in
    page.screenshot(path=output)


def take_library(page: Page, url: str, output: Path) -> None:
    """The library, with all pictures there."""
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=output)


def take_all(browser: Browser, url: str, var: Path, folder: Path) -> None:
    """Every page, whole, as phones and desks show it."""
    for width, scheme in ((360, "light"), (360, "dark"), (1280, "light"), (1280, "dark")):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{url}/login/")
        page.screenshot(path=folder / f"login-{width}-{scheme}.png", full_page=True)
        sign_in(page, url, var)
        videos = page.locator("#videos a").evaluate_all("links => links.map((link) => link.href)")
        pages = {"library": "/", "upload": "/upload/", "nothing": "/nothing/here"}
        addresses = {name: url + path for name, path in pages.items()}
        addresses |= {f"video-{number}": address for number, address in enumerate(videos)}
        addresses |= {"delete": f"{videos[0]}delete/"}
        for name, address in addresses.items():
            page.goto(address)
            page.wait_for_timeout(2500)
            page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
        context.close()


def main(output: Path, *, every_page: bool) -> None:
    """Start an instance, fill it, take the pictures."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        var = folder / "var"
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-background-networking"],
        )
        with Instance(product_environment(var), folder) as instance:
            fill_library(instance, folder)
            if every_page:
                take_all(browser, instance.url, var, output)
            else:
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                sign_in(page, instance.url, var)
                take_processing(page, instance.url, output / "watch.png")
                take_library(page, instance.url, output / "library.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), every_page="--all" in sys.argv)
