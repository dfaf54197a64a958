"""Photos: what comes out of every format, and that no file costs more than itself."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from rushes.engine import photo as photos
from rushes.engine.photo import Optimised, PhotoRefused, Recipe, command, optimise, read_result
from rushes.engine.photo_child import sides_of
from rushes.engine.process import Cancelled
from tests.photos.making import SUFFIXES, bomb, encoded, looks_upright, near, photo, quarters, swapped_profile

MANY = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF")


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Optimised]:
    """`made(path)`: its pictures, in `tmp_path / "out"`."""

    def make(source: Path, recipe: Recipe | None = None, **options: Any) -> Optimised:
        (tmp_path / "out").mkdir(exist_ok=True)
        return optimise(source, tmp_path / "out", recipe, **options)

    return make


def out(tmp_path: Path, long_px: int, extension: str = "jpg") -> Path:
    return tmp_path / "out" / f"{long_px}.{extension}"


@pytest.mark.parametrize(
    ("long_px", "sides"),
    [
        (8000, [2400, 1280, 640, 320]),
        (2400, [2400, 1280, 640, 320]),
        (2399, [2399, 1280, 640, 320]),
        (1300, [1300, 640, 320]),  # hardly more than 1280: one of the two will do
        (321, [321]),
        (16, [16]),
        (1, [1]),
    ],
)
def test_sizes_go_down_from_the_photo_and_never_above_it(long_px: int, sides: list[int]) -> None:
    assert sides_of(long_px, list(Recipe().long_sides_px)) == sides


def test_the_command_is_of_the_recipe_alone() -> None:
    told = command(Path("/in/x"), Path("/out"), Recipe(webp_quality=50))
    assert told[1] == "-I"
    assert told[3:5] == ("/in/x", "/out")
    assert '"webp_quality":50' in told[5]
    assert Recipe().key("a") == Recipe().key("a") != Recipe(webp_quality=50).key("a") != Recipe().key("b")


@pytest.mark.parametrize("kind", SUFFIXES)
def test_every_format_becomes_webp_and_jpeg(
    kind: str, made: Callable[..., Optimised], tmp_path: Path
) -> None:
    # The name says nothing: an upload has none.
    told = made(photo(tmp_path / "upload", kind, size=(720, 480)))
    assert (told.format, told.width, told.height, told.warnings) == (kind, 720, 480, ())
    assert [(size.width, size.height) for size in told.pictures] == [(720, 480), (640, 427), (320, 213)]
    for size in told.pictures:
        for extension, name, length in (("webp", "WEBP", size.webp_bytes), ("jpg", "JPEG", size.jpeg_bytes)):
            path = out(tmp_path, size.long_px, extension)
            assert path.stat().st_size == length
            assert looks_upright(path)
            with Image.open(path) as image:
                assert (image.format, image.size) == (name, (size.width, size.height))


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_photo_is_upright_however_the_camera_was_held(
    orientation: int, made: Callable[..., Optimised], tmp_path: Path
) -> None:
    told = made(photo(tmp_path / "upload", size=(300, 200), orientation=orientation))
    assert (told.width, told.height) == (300, 200)
    assert looks_upright(out(tmp_path, 300))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF", "AVIF"])
def test_every_format_says_how_it_was_held(kind: str, made: Callable[..., Optimised], tmp_path: Path) -> None:
    told = made(photo(tmp_path / "upload", kind, size=(300, 200), orientation=6))
    assert (told.width, told.height) == (300, 200)
    assert looks_upright(out(tmp_path, 300))


@pytest.mark.parametrize("kind", MANY)
def test_nothing_but_the_picture_goes_out(kind: str, made: Callable[..., Optimised], tmp_path: Path) -> None:
    told: dict[str, Any] = {"icc_profile": swapped_profile()}
    if kind == "JPEG":
        told |= {"comment": b"SecretWords"}
    if kind == "PNG":
        words = PngImagePlugin.PngInfo()
        words.add_text("where", "SecretPlace")
        told |= {"pnginfo": words}
    if kind in ("JPEG", "WEBP", "HEIF", "AVIF"):
        told |= {"xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>SecretPlace</x:xmpmeta>"}
    source = photo(tmp_path / "upload", kind, size=(400, 300), **told)
    assert b"Secret" in source.read_bytes()
    for size in made(source).pictures:
        for name in size.names:
            data = (tmp_path / "out" / name).read_bytes()
            assert not {
                word for word in (b"Secret", b"Exif", b"EXIF", b"ICC", b"xmp", b"XMP") if word in data
            }
            with Image.open(tmp_path / "out" / name) as image:
                assert not dict(image.getexif())
                assert not {"icc_profile", "exif", "xmp", "comment"} & set(image.info)


def test_colours_are_those_of_the_profile(made: Callable[..., Optimised], tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 50, 60)).save(tmp_path / "upload", "PNG", icc_profile=swapped_profile())
    assert made(tmp_path / "upload").warnings == ()
    with Image.open(out(tmp_path, 64)) as image:
        assert near(image.getpixel((30, 30)), (60, 50, 200), by=12)


def test_a_profile_that_nobody_can_read_costs_a_warning(
    made: Callable[..., Optimised], tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), (200, 50, 60)).save(tmp_path / "upload", "PNG", icc_profile=b"no profile" * 20)
    (warning,) = made(tmp_path / "upload").warnings
    assert "colour profile" in warning
    with Image.open(out(tmp_path, 64)) as image:
        assert near(image.getpixel((30, 30)), (200, 50, 60), by=12)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("colours", "code", "wanted"),
    [
        # Mid-grey of white paper at 203 nits stays 18 %; the paper is nearly white; primaries are brought to sRGB's.
        ((9, 16), (105, 105, 105), (118, 118, 118)),
        ((9, 16), (148, 148, 148), (233, 233, 233)),
        ((9, 18), (111, 111, 111), (118, 118, 118)),
        ((12, 13), (200, 120, 100), (213, 115, 95)),
        ((1, 13), (200, 120, 100), (200, 120, 100)),
    ],
)
def test_colours_are_those_that_a_heic_or_avif_names(
    kind: str,
    colours: tuple[int, int],
    code: tuple[int, int, int],
    wanted: tuple[int, int, int],
    made: Callable[..., Optimised],
    tmp_path: Path,
) -> None:
    source = photo(tmp_path / "upload", kind, size=(64, 64), plain=code, quality=95)
    data = source.read_bytes()
    at = data.index(b"colrnclx") + 8
    source.write_bytes(data[:at] + struct.pack(">HH", *colours) + data[at + 4 :])
    told = made(source)
    with Image.open(out(tmp_path, 64)) as image:
        assert near(image.getpixel((30, 30)), wanted, by=5), image.getpixel((30, 30))
    assert bool(told.warnings) == (colours[1] in (16, 18))


def test_every_kind_of_pixel(made: Callable[..., Optimised], tmp_path: Path) -> None:
    grey16 = Image.new("I;16", (64, 64), 40_000)
    clear = Image.new("RGBA", (64, 64), (10, 200, 10, 0))
    kinds: list[tuple[Image.Image, str, tuple[int, int, int], int | None]] = [
        (grey16, "PNG", (156, 156, 156), None),
        (Image.new("1", (64, 64), 1), "PNG", (255, 255, 255), None),
        (Image.new("LA", (64, 64), (90, 255)), "PNG", (90, 90, 90), None),
        (Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG", (254, 0, 0), None),
        (Image.new("L", (64, 64), 90), "AVIF", (90, 90, 90), None),
        (clear, "PNG", (255, 255, 255), 0),
        (clear, "WEBP", (255, 255, 255), 0),
        (clear, "HEIF", (255, 255, 255), 0),
        (clear, "AVIF", (255, 255, 255), 0),
        (quarters((64, 64)).quantize(4), "PNG", (220, 40, 40), None),
    ]
    for image, kind, colour, alpha in kinds:
        image.save(tmp_path / "upload", kind)
        made(tmp_path / "upload")
        with Image.open(out(tmp_path, 64)) as jpeg, Image.open(out(tmp_path, 64, "webp")) as webp:
            assert near(jpeg.getpixel((8, 8)), colour, by=6), (image.mode, kind, jpeg.getpixel((8, 8)))
            assert webp.mode == ("RGB" if alpha is None else "RGBA"), (image.mode, kind)
            if alpha is not None:
                assert webp.getpixel((8, 8))[3] == alpha


def test_a_motion_photo_is_its_photo(
    made: Callable[..., Optimised], clip: Callable[..., Path], tmp_path: Path
) -> None:
    still = photo(tmp_path / "still", size=(300, 200)).read_bytes()
    (tmp_path / "upload").write_bytes(still + clip(duration_s=1, size=(64, 36)).read_bytes())
    told = made(tmp_path / "upload")
    assert told.format == "JPEG"
    assert "motion photo" in told.warnings[0]
    assert looks_upright(out(tmp_path, 300))


def test_the_previews_of_a_camera_are_no_news(made: Callable[..., Optimised], tmp_path: Path) -> None:
    """Phones write JPEGs with more pictures behind the first (MPO): gain maps, depth, previews."""
    photo(
        tmp_path / "upload", "MPO", size=(300, 200), save_all=True, append_images=[Image.new("L", (60, 40))]
    )
    told = made(tmp_path / "upload")
    assert (told.format, told.warnings) == ("JPEG", ())
    assert looks_upright(out(tmp_path, 300))


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "AVIF", "HEIF"])
def test_of_several_pictures_one_is_shown(kind: str, made: Callable[..., Optimised], tmp_path: Path) -> None:
    others = [Image.new("RGB", (300, 200), (0, 0, n)) for n in (90, 200)]
    photo(tmp_path / "upload", kind, size=(300, 200), save_all=True, append_images=others)
    (warning,) = made(tmp_path / "upload").warnings
    assert "3 pictures" in warning
    assert looks_upright(out(tmp_path, 300))


@pytest.mark.parametrize("kind", SUFFIXES)
def test_what_is_cut_off_is_refused_with_a_sentence(
    kind: str, made: Callable[..., Optimised], tmp_path: Path
) -> None:
    whole = photo(tmp_path / "whole", kind, size=(240, 160)).read_bytes()
    for part in (0.1, 0.5, 0.9):
        (tmp_path / "upload").write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(PhotoRefused, match=r"^This .*\.$"):
            made(tmp_path / "upload")


@pytest.mark.parametrize(
    "data",
    [b"", b"no photo at all", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff" + bytes(5000)],
)
def test_what_is_no_photo_is_refused(data: bytes, made: Callable[..., Optimised], tmp_path: Path) -> None:
    (tmp_path / "upload").write_bytes(data)
    with pytest.raises(PhotoRefused, match="not a photo"):
        made(tmp_path / "upload")


@pytest.mark.parametrize("size", [(30_000, 30_000), (8192, 6145), (2_000_000_000, 2)])
def test_a_bomb_is_refused_by_its_header(
    size: tuple[int, int], made: Callable[..., Optimised], tmp_path: Path
) -> None:
    (tmp_path / "upload").write_bytes(bomb(*size))
    with pytest.raises(PhotoRefused, match="50 megapixels are the most"):
        made(tmp_path / "upload")


def test_memory_has_an_end(made: Callable[..., Optimised], tmp_path: Path) -> None:
    photo(tmp_path / "upload", "PNG", size=(4000, 3000))
    with pytest.raises(PhotoRefused, match="more memory"):
        made(tmp_path / "upload", replace(Recipe(), memory_bytes=110 << 20))


@pytest.mark.parametrize(
    ("child", "sentence"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "gave up"),
        ("", "gave up"),  # it ended well and has told nothing
        ("while True: pass", "longer"),
    ],
)
def test_a_decoder_that_goes_wrong_costs_a_sentence(
    child: str, sentence: str, made: Callable[..., Optimised], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text(child)
    (tmp_path / "upload").write_bytes(encoded())
    monkeypatch.setattr(photos, "_CHILD", tmp_path / "child.py")
    monkeypatch.setattr(photos, "_LIMITS", replace(photos._LIMITS, wall_s=1.0))
    with pytest.raises(PhotoRefused, match=sentence):
        made(tmp_path / "upload")


def test_a_link_in_place_of_a_picture_is_not_served(made: Callable[..., Optimised], tmp_path: Path) -> None:
    made(photo(tmp_path / "upload", size=(64, 64)))
    out(tmp_path, 64).unlink()
    out(tmp_path, 64).symlink_to("/etc/passwd")
    with pytest.raises(PhotoRefused):
        read_result(tmp_path / "out")


def test_nobody_waits_for_what_is_not_needed(
    made: Callable[..., Optimised], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(photos, "_CHILD", tmp_path / "child.py")
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        made(photo(tmp_path / "upload", size=(64, 64)), cancel=cancel)
