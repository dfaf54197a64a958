"""The ledger in the admin, in a real browser: narrow and wide, by keyboard, and without JavaScript."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.crash.instance import Instance, product_environment, wait_until

pytestmark = pytest.mark.e2e

LIMIT_S = 60.0
JOBS = "/admin/jobs/job/"
NO_VIDEO = "broken.mp4 is not a video or sound file"


@dataclass(frozen=True)
class Operated:
    """An instance with a video that failed, and how to get in."""

    url: str
    username: str
    password: str


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operated]:
    folder = tmp_path_factory.mktemp("operated")
    with Instance(product_environment(folder / "var"), folder) as instance:
        told = json.loads((folder / "var" / "credentials.json").read_text())
        broken = folder / "broken.mp4"
        broken.write_bytes(b"this is no video" * 100)
        client = instance.client()
        video = client.upload(broken, "Broken")["public_id"]
        wait_until(lambda: client.video(video)["status"] == "failed", LIMIT_S, "it fails")
        yield Operated(instance.url, told["username"], told["password"])


def signed_in(page: Page, operated: Operated, address: str = JOBS) -> None:
    page.goto(f"{operated.url}/admin/login/?next={address}")
    page.get_by_label("Username").fill(operated.username)
    page.get_by_label("Password").fill(operated.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{operated.url}{address}")


@pytest.mark.parametrize("width", [360, 1280])
def test_failing_queues_are_seen_at_a_glance(
    page: Page, operated: Operated, width: int, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    signed_in(page, operated)
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="control", exact=True))
    expect(row).to_contain_text(re.compile(r"failing: 1 of \d in 24 h"))
    expect(row).to_contain_text(NO_VIDEO)
    box = page.locator("#queues").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    # Nothing in it is wider than it: no word is cut off, and the page does not move sideways because of it.
    assert page.evaluate("document.querySelector('#queues').scrollWidth") <= box["width"] + 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#result_list .field-reason").filter(has_text=NO_VIDEO)).to_have_count(1)
    page.screenshot(path=tmp_path / f"jobs-{width}.png", full_page=True)


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_of_a_job_has_error_and_arguments_beside_its_log(
    page: Page, operated: Operated, width: int, tmp_path: Path
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    signed_in(page, operated, f"{JOBS}?status__exact=failed")
    page.locator("#result_list .field-id a").first.click()
    why = page.get_by_role("region", name="What happened")
    expect(why).to_contain_text('"video": 1')
    columns = [column.bounding_box() for column in why.locator("> div").all()]
    error, log = columns
    assert error is not None
    assert log is not None
    assert (error["y"] == log["y"]) == (width == 1280)
    assert all(column["x"] + column["width"] <= width for column in (error, log))
    page.screenshot(path=tmp_path / f"job-{width}.png", full_page=True)


def test_jobs_are_retried_by_keyboard(page: Page, operated: Operated) -> None:
    signed_in(page, operated, f"{JOBS}?status__exact=failed")
    box = page.locator("#result_list tbody .action-select").first
    box.focus()
    page.keyboard.press("Space")
    page.get_by_label("Action:").focus()
    page.keyboard.type("Try again")
    go = page.get_by_role("button", name="Go")
    for _ in range(5):
        if go.evaluate("button => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("1 job will be tried again.")


def test_without_javascript_jobs_are_retried_and_queues_drained(browser: Browser, operated: Operated) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 800})
    page = context.new_page()
    wait_until_failed(page, operated)
    page.locator("#result_list .field-id a").first.click()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".messagelist")).to_contain_text("1 job will be tried again.")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="video:waiting"))
    row.get_by_role("link", name="drain").click()
    expect(page.get_by_label("Queue:")).to_have_value("video:waiting")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{operated.url}{JOBS}")
    expect(row).to_contain_text("drained")
    row.get_by_role("link", name="resume").click()
    page.get_by_role("button", name="Yes").click()
    page.goto(f"{operated.url}{JOBS}")
    expect(row).to_contain_text("fine")
    context.close()


def wait_until_failed(page: Page, operated: Operated) -> None:
    """Until the list of failed jobs has one: another test may have let it be tried again a moment ago."""
    signed_in(page, operated, f"{JOBS}?status__exact=failed")

    def there() -> bool:
        page.reload()
        return page.locator("#result_list .field-id a").count() > 0

    wait_until(there, LIMIT_S, "a failed job is listed")
