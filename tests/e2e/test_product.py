"""The product, as `make run` starts it, as a person meets it: from signing in to a video that is ready."""

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.crash.instance import Instance, product_environment
from tests.e2e.watching import PATIENCE_S, record, seek, until
from tests.photos.making import encoded

pytestmark = pytest.mark.e2e

PATIENCE_MS = PATIENCE_S * 1000
#: What is shown above the place of the time line that is pointed at, once its sheet is loaded.
THUMBNAIL = """(() => {
  const shown = document.querySelector("media-time-range").shadowRoot.querySelector("media-preview-thumbnail");
  const image = shown.shadowRoot.querySelector("img");
  const visible = image.naturalWidth > 0 && getComputedStyle(image).display !== "none";
  return { coordinates: visible ? shown.getAttribute("mediapreviewcoords") : null };
})()"""
MOVING = "window.__rushes && (window.__rushes.fatal || window.__rushes.firstMoved !== null)"


@dataclass(frozen=True)
class Product:
    """A running instance, and how to get in."""

    instance: Instance
    username: str
    password: str

    @property
    def url(self) -> str:
        return self.instance.url


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    with Instance(product_environment(folder / "var"), folder) as instance:
        told = json.loads((folder / "var" / "credentials.json").read_text())
        yield Product(instance, told["username"], told["password"])


@pytest.fixture(scope="module")
def short_clip(clip: Callable[..., Path]) -> Path:
    return clip(duration_s=6, size=(320, 180))


@pytest.fixture
def member(page: Page, product: Product) -> Page:
    """A browser of somebody who has signed in, in the library."""
    sign_in(page, product)
    return page


def sign_in(page: Page, product: Product) -> None:
    page.goto(f"{product.url}/login/")
    page.get_by_label("Username").fill(product.username)
    page.get_by_label("Password").fill(product.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{product.url}/")


def upload(page: Page, product: Product, source: Path, name: str) -> str:
    """Choose the file on the page to upload on; the address of the video's page, which is then shown."""
    page.goto(f"{product.url}/upload/")
    file = {"name": name, "mimeType": "video/mp4", "buffer": source.read_bytes()}
    page.get_by_label(re.compile("^Choose files")).set_input_files(file)  # type: ignore[arg-type]
    page.wait_for_url(re.compile(r"/v/[\w-]+/$"))
    return page.url


def until_ready(page: Page, product: Product, address: str) -> None:
    """Until the server says so, whatever the page shows."""
    public_id = address.rstrip("/").rpartition("/")[2]
    wait_for(page, lambda: product.instance.client().video(public_id)["status"] == "ready")


def wait_for(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for what is not the page's; its requests are answered meanwhile."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        page.wait_for_timeout(50)


def test_an_uploaded_clip_is_watched_to_its_end_while_it_is_being_encoded(
    member: Page, product: Product, clip: Callable[..., Path]
) -> None:
    page = member
    source = clip(duration_s=24, size=(1280, 720))
    address = upload(page, product, source, "Harbour at dawn.mp4")
    public_id = address.rstrip("/").rpartition("/")[2]

    until(page, MOVING)  # it begins by itself
    assert product.instance.client().video(public_id)["status"] == "processing"
    expect(page.locator("#told")).to_contain_text(re.compile(r"Processing \d+ %"))
    expect(page.locator("#told")).to_contain_text("Playable while it is being encoded")

    assert record(page)["duration"] == pytest.approx(24, abs=0.1)
    seek(page, 22)
    until(page, "window.__rushes.ended !== null || window.__rushes.fatal")
    assert record(page)["errors"] == []

    # Nobody loads this page again.
    expect(page.locator("#told .state")).to_have_text("Ready", timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="Download")).to_be_visible()

    # What was loaded while it was being encoded, and all the rest, is one piece.
    page.evaluate(
        """() => { const video = document.querySelector('video'); window.__rushes.ended = null;
                   video.currentTime = 0; video.play() }"""
    )
    until(page, "window.__rushes.ended !== null || window.__rushes.fatal")
    seen = record(page)
    assert seen["errors"] == []
    assert seen["position"] == pytest.approx(seen["duration"], abs=0.1)
    assert len(seen["ranges"]) == 1, seen
    assert seen["ranges"][0] == pytest.approx([0, seen["duration"]], abs=0.1)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes()[4:8] == b"ftyp"


def test_a_page_that_hears_nothing_for_a_while_is_up_to_date_when_it_does(
    member: Page, product: Product, short_clip: Path
) -> None:
    """A proxy that answers for a server that is away: neither events nor the page's own words come through."""
    page, away = member, True
    refused = {"events": 0, "fetch": 0}

    def answer(route: Route) -> None:
        kind = (
            "events"
            if route.request.url.partition("?")[0].endswith("/events")
            else route.request.resource_type
        )
        if away and kind in refused:
            refused[kind] += 1
            route.fulfill(status=502, body="away")
        else:
            route.continue_()

    page.route(re.compile(r"/events(\?|$)|/v/[\w-]+/$"), answer)
    address = upload(page, product, short_clip, "Unheard.mp4")
    expect(page.locator(".alert[data-kind=lost]")).to_contain_text("No connection to Rushes")
    until_ready(page, product, address)
    away = False  # the events come first: they say that there is news, and the page asks for it
    until(page, MOVING)
    expect(page.locator("#told .state")).to_have_text("Ready", timeout=PATIENCE_MS)
    expect(page.locator(".alert")).to_have_count(0)
    assert refused["events"] > 0


def test_words_that_could_not_be_asked_for_are_asked_for_again(
    member: Page, product: Product, short_clip: Path
) -> None:
    page = member
    address = upload(page, product, short_clip, "Half heard.mp4")
    refused = 0

    def refuse(route: Route) -> None:
        nonlocal refused
        refused += 1
        if refused % 2:
            route.fulfill(status=503, body="busy")
        else:
            route.abort()

    page.route(address, refuse)
    until_ready(page, product, address)
    before = refused
    wait_for(page, lambda: refused > before + 1)  # the last event has been: nobody will say anything again
    page.unroute(address, refuse)
    expect(page.locator("#told .state")).to_have_text("Ready", timeout=PATIENCE_MS)


def test_what_somebody_is_writing_is_not_written_over(
    member: Page, product: Product, short_clip: Path
) -> None:
    page = member
    upload(page, product, short_clip, "Draft.mp4")
    page.get_by_label("Title", exact=True).fill("Not sent yet")
    page.get_by_role("heading", name="State").click()
    expect(page.locator("#told .state")).to_have_text("Ready", timeout=PATIENCE_MS)
    expect(page.get_by_label("Title", exact=True)).to_have_value("Not sent yet")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Not sent yet")


def test_a_real_clip_of_a_phone_is_watched(
    member: Page, product: Product, real_clip: Callable[[str], Path]
) -> None:
    upload(member, product, real_clip("imageio-binaries__cockatoo.mp4"), "VID_20261120_171233.mp4")
    until(member, MOVING)
    duration_s = record(member)["duration"]
    seek(member, duration_s - 2)
    until(member, "window.__rushes.ended !== null || window.__rushes.fatal")
    assert record(member)["errors"] == []


def test_the_library_tells_by_itself_when_a_video_is_ready(
    member: Page, product: Product, short_clip: Path
) -> None:
    page = member
    with page.expect_response(lambda answer: answer.request.method == "POST" and "/api/" in answer.url):
        page.evaluate(
            """bytes => { const data = new DataTransfer();
                 data.items.add(new File([new Uint8Array(bytes)], "Dropped here.mp4", { type: "video/mp4" }));
                 document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true })) }""",
            list(short_clip.read_bytes()),
        )
    entry = page.locator("#videos > li", has_text="Dropped here")
    expect(entry.locator(".state")).to_have_text("Ready", timeout=PATIENCE_MS)
    expect(entry).to_contain_text("0:06")
    until(page, "document.querySelector('#videos .still img:not(.none)')?.naturalWidth > 0")


def test_the_time_line_shows_what_is_at_the_place_that_is_pointed_at(
    member: Page, product: Product, short_clip: Path
) -> None:
    page = member
    address = upload(page, product, short_clip, "Pointed at.mp4")
    until(page, MOVING)
    until_ready(page, product, address)
    # Nobody loads this page again: the storyboard came while it was open.
    until(page, "document.querySelector('track[label=thumbnails]')?.track.cues?.length === 12")
    box = page.locator("media-time-range").bounding_box()
    assert box is not None
    shown: list[str] = []
    for share in (0.25, 0.75):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)
        until(page, f"({THUMBNAIL})?.coordinates && !{json.dumps(shown)}.includes(({THUMBNAIL}).coordinates)")
        shown.append(page.evaluate(THUMBNAIL)["coordinates"])
    assert all(coordinates.endswith(" 192 108") for coordinates in shown), shown
    if "SCREENSHOTS" in os.environ:
        page.wait_for_timeout(800)
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/storyboard.png")


def test_a_card_moves_while_it_is_pointed_at_or_focused_unless_somebody_wants_it_calm(
    member: Page, product: Product, short_clip: Path
) -> None:
    page = member
    address = upload(page, product, short_clip, "Moves.mp4")
    until_ready(page, product, address)
    page.goto(f"{product.url}/")
    card = page.locator("#videos > li", has_text="Moves").locator("a")
    moving = "document.querySelector('video.moving')?.currentTime > 0"

    def points() -> bool:
        # A card is exchanged when something of it changes; then it moves again when the pointer does.
        page.mouse.move(0, 0)
        card.hover()
        page.wait_for_timeout(1_500)
        return bool(page.evaluate(moving))

    wait_for(page, points)
    still, over = card.locator(".still").bounding_box(), card.locator("video.moving").bounding_box()
    assert still == pytest.approx(over, abs=1)  # it hides neither the title nor anything else
    if "SCREENSHOTS" in os.environ:
        page.screenshot(path=f"{os.environ['SCREENSHOTS']}/preview.png")
    page.mouse.move(0, 0)
    expect(page.locator("video.moving")).to_have_count(0)
    page.keyboard.press("Tab")  # so that the focus is the keyboard's
    card.focus()
    until(page, moving)
    page.emulate_media(reduced_motion="reduce")
    expect(page.locator("video.moving")).to_have_count(0)
    card.hover()
    page.wait_for_timeout(600)  # longer than a card waits before it moves
    expect(page.locator("video.moving")).to_have_count(0)


def test_a_keyboard_is_enough_to_upload_and_watch(page: Page, product: Product, short_clip: Path) -> None:
    def tab_to(selector: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("s => document.activeElement?.matches(s)", selector):
                return
        raise AssertionError(f"never reached: {selector}")

    # Long before it opens: a dialogue that opens just after this call would be missed.
    page.on("filechooser", lambda chooser: chooser.set_files(short_clip))
    page.goto(f"{product.url}/upload/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type(product.username)
    page.keyboard.press("Tab")
    page.keyboard.type(product.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{product.url}/upload/")

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    tab_to("#file")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/v/[\w-]+/$"))
    until(page, MOVING)
    tab_to("media-play-button")
    page.keyboard.press("Space")
    until(page, "document.querySelector('video').paused || document.querySelector('video').ended")

    tab_to("#id_title")
    page.keyboard.press("Control+A")
    page.keyboard.type("By hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By hand")
    expect(page.locator("#messages")).to_have_text("Saved.")
    assert page.evaluate("window.__rushes.firstMoved") is not None  # the page was never left

    tab_to("a.danger")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete “By hand”?")
    tab_to("button.danger")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{product.url}/")
    expect(page.locator("#messages")).to_have_text("“By hand” is deleted.")
    expect(page.locator("#videos > li", has_text="By hand")).to_have_count(0)


def test_without_javascript_a_video_is_uploaded_and_watched(
    browser: Browser, product: Product, short_clip: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, product)
    page.get_by_role("navigation").get_by_role("link", name="Upload", exact=True).click()
    page.get_by_label("Choose a file").set_input_files(short_clip)
    page.get_by_label("Who may watch").select_option("Everybody who has the link")
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url(re.compile(r"/v/[\w-]+/$"))
    state = page.locator("#told .state")
    for _ in range(int(PATIENCE_S)):
        if state.inner_text() == "Ready":
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(state).to_have_text("Ready")
    expect(page.locator("video.plain")).to_be_visible()
    expect(page.locator("media-controller")).to_be_hidden()
    sources = [source.get_attribute("src") or "" for source in page.locator("video.plain source").all()]
    assert [source.rpartition("/")[2] for source in sources] == ["master.m3u8", "video.mp4"]
    for source in sources:
        assert context.request.get(product.url + source).ok
    context.close()


def test_what_is_no_video_is_refused_in_words(member: Page, product: Product, tmp_path: Path) -> None:
    empty, letters = tmp_path / "empty.mp4", tmp_path / "shopping list.txt"
    empty.touch()
    letters.write_text("milk, bread, a thousand reels of film\n" * 100)

    member.goto(f"{product.url}/upload/")
    member.get_by_label(re.compile("^Choose files")).set_input_files(empty)
    row = member.locator("#uploads > li")
    expect(row.get_by_role("alert")).to_contain_text("The file is empty.")
    expect(row.get_by_role("button", name="Try empty.mp4 again")).to_be_visible()

    upload(member, product, letters, "shopping list.txt")
    expect(member.locator("#told .state")).to_contain_text(re.compile("^Failed: .{20}"), timeout=PATIENCE_MS)
    expect(member.get_by_role("status").last).to_contain_text("Failed: ")


def test_several_files_are_sent_one_after_the_other(
    member: Page, product: Product, short_clip: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "one.mp4", tmp_path / "two.mp4"]
    for file in files:
        file.write_bytes(short_clip.read_bytes())
    member.goto(f"{product.url}/upload/")
    member.get_by_label(re.compile("^Choose files")).set_input_files(files)
    rows = member.locator("#uploads > li")
    for row in (rows.nth(0), rows.nth(1)):
        expect(row).to_contain_text("Uploaded", timeout=PATIENCE_MS)
        expect(row.get_by_role("link")).to_have_attribute("href", re.compile(r"^/v/[\w-]+/$"))


def test_nothing_is_loaded_from_elsewhere(member: Page, product: Product) -> None:
    asked: list[str] = []
    member.on("request", lambda request: asked.append(request.url))
    for path in every_page(member, product):
        member.goto(product.url + path)
        member.wait_for_timeout(200)
    assert not [url for url in asked if not url.startswith((product.url, "blob:", "data:"))]


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_their_window(browser: Browser, product: Product, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{product.url}/login/")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sign_in(page, product)
    for path in every_page(page, product):
        page.goto(product.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


def test_every_control_has_a_name(member: Page, product: Product) -> None:
    """As the browser tells assistive technology."""
    tree = member.context.new_cdp_session(member)
    controls = {"button", "link", "textbox", "combobox", "slider", "checkbox", "progressbar", "img"}
    for path in every_page(member, product):
        member.goto(product.url + path)
        member.wait_for_timeout(300)
        nodes = tree.send("Accessibility.getFullAXTree")["nodes"]
        nameless = [
            node["nodeId"]
            for node in nodes
            if not node.get("ignored")
            and node.get("role", {}).get("value") in controls
            and not node.get("name", {}).get("value", "").strip()
        ]
        assert not nameless, (path, nameless)
        roles = [node.get("role", {}).get("value") for node in nodes if not node.get("ignored")]
        assert roles.count("main") == 1, path


def every_page(page: Page, product: Product) -> list[str]:
    """The library, the page to upload on, a video's pages."""
    page.goto(product.url)
    video = page.locator("#videos a").first.get_attribute("href")
    assert video, "the tests above have left videos"
    return ["/", "/upload/", video, f"{video}delete/", "/nothing/here"]


@pytest.mark.parametrize(
    ("kind", "name", "mime"),
    [
        ("HEIF", "IMG_0815.HEIC", ""),  # as most browsers have it: they do not know the type
        ("GIF", "still.gif", "image/gif"),  # sent as a video first, because most GIFs are
    ],
)
def test_a_photo_is_taken_by_the_same_form_and_seen_seconds_later(
    kind: str, name: str, mime: str, member: Page, product: Product
) -> None:
    page = member
    page.goto(f"{product.url}/upload/")
    file = {"name": name, "mimeType": mime, "buffer": encoded(kind, size=(1600, 1200))}
    page.get_by_label(re.compile("^Choose files")).set_input_files(file)  # type: ignore[arg-type]
    page.wait_for_url(re.compile(r"/p/[\w-]+/$"))
    # Nobody loads this page again.
    until(page, "document.querySelector('#screen img')?.naturalWidth > 0")
    expect(page.locator("#told .state")).to_have_text("Ready", timeout=PATIENCE_MS)
    assert (
        page.evaluate("document.querySelector('#screen img').currentSrc").partition("?")[0].endswith(".webp")
    )

    page.goto(product.url)
    entry = page.locator("#videos > li", has_text=name.rpartition(".")[0]).first
    expect(entry.locator(".state")).to_have_text("Ready")
    until(
        page, "[...document.querySelectorAll('#videos picture img')].some((image) => image.naturalWidth > 0)"
    )
    entry.get_by_role("link").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url(f"{product.url}/")
    expect(page.locator("#videos > li", has_text=name.rpartition(".")[0])).to_have_count(0)
