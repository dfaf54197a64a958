"""What is decided about colour, HDR, fields and transparency, without a file."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.engine.source import Colour
from rushes.engine.treatment import BT709, field_filters, finish_filters, is_hdr, treatment_of
from tests.engine.sources import film, picture


def colour(**told: str) -> Colour:
    return treatment_of(picture(colour=Colour(**told))).colour


@pytest.mark.parametrize("range_", ["tv", "pc"])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg", "bt2020nc"])
def test_range_and_matrix_of_sdr_are_kept(range_: str, matrix: str) -> None:
    kept = colour(range=range_, matrix=matrix)
    assert (kept.range, kept.matrix) == (range_, matrix)


def test_transfer_and_primaries_that_are_told_are_kept() -> None:
    told = {"range": "tv", "matrix": "bt709", "transfer": "iec61966-2-1", "primaries": "smpte432"}
    assert colour(**told) == Colour(**told)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((1920, 1080), "bt709"),
        ((1280, 720), "bt709"),
        ((720, 1280), "bt709"),
        ((640, 480), "smpte170m"),
        ((720, 576), "bt470bg"),
        ((320, 180), "smpte170m"),
    ],
)
def test_what_is_not_told_is_what_players_take_it_for(size: tuple[int, int], matrix: str) -> None:
    found = treatment_of(picture(size)).colour
    assert (found.matrix, found.range) == (matrix, "tv")
    assert found.transfer
    assert found.primaries


def test_the_matrix_follows_the_primaries_where_only_they_are_told() -> None:
    assert colour(primaries="bt2020").matrix == "bt2020nc"
    assert colour(primaries="bt470bg").matrix == "bt470bg"


@pytest.mark.parametrize("matrix", ["smpte240m", "fcc", "ycgco", "ictcp"])
def test_a_matrix_that_players_do_not_know_becomes_bt709(matrix: str) -> None:
    assert colour(matrix=matrix).matrix == "bt709"


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gbrp", "bgra", "pal8", "gbrp10le"])
def test_rgb_becomes_bt709_of_limited_range(pix_fmt: str) -> None:
    found = treatment_of(picture((320, 240), pix_fmt=pix_fmt, colour=Colour(range="pc", matrix="gbr")))
    assert found.colour == BT709


def test_a_jpeg_s_range_is_full_though_nothing_is_told() -> None:
    assert treatment_of(picture(pix_fmt="yuvj422p")).colour.range == "pc"


@pytest.mark.parametrize(("hdr", "transfer"), [("pq", "smpte2084"), ("hlg", "arib-std-b67")])
def test_hdr_becomes_bt709_in_the_rung(hdr: str, transfer: str) -> None:
    found = treatment_of(picture(hdr=hdr, bit_depth=10, colour=Colour(transfer=transfer)))
    assert found.colour == BT709
    assert found.decoded == Colour(range="tv", matrix="bt2020nc", transfer=transfer, primaries="bt2020")
    chain = finish_filters(found)
    assert "zscale=transfer=linear:npl=203" in chain
    assert "tonemap=hable:desat=0:peak=10" in chain
    assert chain[-1] == "setparams=range=tv:colorspace=bt709:color_trc=bt709:color_primaries=bt709"


@pytest.mark.parametrize(
    ("transfer", "mapped"), [("arib-std-b67", True), ("smpte2084", True), (None, True), ("bt709", False)]
)
def test_dolby_vision_is_shown_by_its_base_layer(transfer: str | None, mapped: bool) -> None:
    assert is_hdr(picture(hdr="dolby-vision", colour=Colour(transfer=transfer))) is mapped


def test_dolby_vision_without_a_base_layer_is_warned_of() -> None:
    plan = make_plan(film(hdr="dolby-vision", dolby_vision_profile=5), Settings(), "build")
    assert any("Dolby Vision" in warning for warning in plan.warnings)


@pytest.mark.parametrize("fields", [{"hdr": "pq"}, {"hdr": "hlg"}, {"field_order": "tt"}])
def test_what_is_treated_is_neither_copied_nor_warned_of(fields: dict[str, Any]) -> None:
    plan = make_plan(film(**fields), Settings(), "build")
    assert plan.copied_rung is None
    assert plan.warnings == ()


def test_another_treatment_is_another_rendition() -> None:
    plans = [
        make_plan(film(hdr="pq", colour=Colour(range=range_)), Settings(), "build") for range_ in ("tv", "pc")
    ]
    assert plans[0].rungs[0].key != plans[1].rungs[0].key


def test_each_field_of_an_interlaced_video_becomes_a_frame() -> None:
    plan = make_plan(film(rate=25, field_order="tt", scan="interlaced"), Settings(), "build")
    assert plan.grid is not None
    assert (plan.grid.rate, plan.grid.frames) == (50, 20 * 50)
    plan = make_plan(
        film(rate=Fraction(30000, 1001), field_order="tt", scan="interlaced"), Settings(), "build"
    )
    assert plan.grid is not None
    assert plan.grid.rate == Fraction(60000, 1001)


def test_a_film_in_fields_keeps_its_pictures() -> None:
    plan = make_plan(film(rate=25, field_order="tt", scan="film"), Settings(), "build")
    assert plan.grid is not None
    assert plan.grid.rate == 25


def test_packets_that_are_single_fields_are_counted_by_twos() -> None:
    fields = {"field_order": "tt", "scan": "interlaced", "picture_gap_s": Fraction(1, 25)}
    plan = make_plan(film(rate=50, **fields), Settings(), "build")
    assert plan.grid is not None
    assert (plan.grid.rate, plan.grid.frames) == (50, 20 * 50)
    plan = make_plan(film(rate=50, **(fields | {"scan": "film"})), Settings(), "build")
    assert plan.grid is not None
    assert (plan.grid.rate, plan.grid.frames) == (25, 20 * 25)


def test_the_order_of_fields_is_told_only_where_the_decoder_is_wrong() -> None:
    told = treatment_of(picture(scan="interlaced", shown_first="bff", order_is_forced=True))
    assert "setfield=bff" in field_filters(told)
    known = treatment_of(picture(scan="interlaced", shown_first="bff"))
    assert not any(part.startswith("setfield") for part in field_filters(known))
    assert field_filters(known)[-1] == "bwdif=mode=send_field:deint=interlaced"


def test_chunks_of_interlaced_video_begin_to_decode_early_enough_to_see_the_pictures_before() -> None:
    plain = make_plan(film(gop=25, rate=25), Settings(), "build")
    fields = make_plan(film(gop=25, rate=25, field_order="tt", scan="interlaced"), Settings(), "build")
    assert plain.entries[1] * plain.video_time_base == 8  # type: ignore[operator]
    assert fields.entries[1] * fields.video_time_base == 7  # type: ignore[operator]
