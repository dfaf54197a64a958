"""Rungs by the short side: nothing upscaled, every size even, a rung of its own for what lies between presets."""

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rushes.engine.ladder import even, rung_name, rung_sizes, scaled

PRESETS = (1080, 720, 480, 360)

sizes = st.tuples(st.integers(16, 8192), st.integers(16, 8192))
presets = st.lists(st.integers(8, 2160).map(lambda n: 2 * n), min_size=1, max_size=6)


def names(size: tuple[int, int], *, copied: bool = False) -> list[str]:
    return [rung_name(rung) for rung in rung_sizes(size, PRESETS, copied=copied)]


@pytest.mark.parametrize(
    ("size", "rungs"),
    [
        ((1920, 1080), ["1080p", "720p", "480p", "360p"]),
        ((1280, 720), ["720p", "480p", "360p"]),
        ((768, 432), ["432p", "360p"]),  # more than a tenth above 360
        ((676, 380), ["360p"]),  # less than a tenth above 360
        ((704, 396), ["360p"]),  # a tenth, not more
        ((708, 398), ["398p", "360p"]),
        ((426, 240), ["240p"]),  # below all
        ((2560, 1440), ["1080p", "720p", "480p", "360p"]),  # above all: scaled to the highest
        ((1200, 1100), ["1080p", "720p", "480p", "360p"]),
        ((1080, 1920), ["1080p", "720p", "480p", "360p"]),  # portrait
        ((608, 1080), ["608p", "480p", "360p"]),
        ((161, 121), ["120p"]),
        ((640, 640), ["640p", "480p", "360p"]),
    ],
)
def test_the_ladder_follows_the_short_side(size: tuple[int, int], rungs: list[str]) -> None:
    assert names(size) == rungs


@pytest.mark.parametrize(
    ("size", "rungs"),
    [
        ((2560, 1440), ["1080p", "720p", "480p", "360p"]),
        ((1920, 1080), ["720p", "480p", "360p"]),
        ((1280, 720), ["480p", "360p"]),
        ((704, 396), []),
        ((426, 240), []),
    ],
)
def test_beneath_a_copy_only_what_is_clearly_smaller_is_encoded(
    size: tuple[int, int], rungs: list[str]
) -> None:
    assert names(size, copied=True) == rungs


@pytest.mark.parametrize(
    ("size", "short", "expected"),
    [
        ((1920, 1080), 360, (640, 360)),
        ((1080, 1920), 720, (720, 1280)),
        ((161, 121), 120, (160, 120)),
        ((854, 480), 360, (640, 360)),
        ((1440, 1080), 480, (640, 480)),
        ((3840, 1600), 360, (864, 360)),
        ((1, 1), 360, (2, 2)),
    ],
)
def test_a_size_keeps_its_aspect_to_the_nearest_even_number(
    size: tuple[int, int], short: int, expected: tuple[int, int]
) -> None:
    assert scaled(size, short) == expected


@settings(deadline=None)
@given(sizes, presets, st.booleans())
@example((16, 8192), [360], False)
@example((17, 17), [32], False)
def test_sizes_are_even_never_upscaled_and_largest_first(
    size: tuple[int, int], steps: list[int], copied: bool
) -> None:
    rungs = rung_sizes(size, steps, copied=copied)
    assert rungs or copied
    for width, height in rungs:
        assert width % 2 == height % 2 == 0
        assert 2 <= width <= size[0]
        assert 2 <= height <= size[1]
        assert (width >= height) == (size[0] >= size[1]) or width == height
    sides = [min(rung) for rung in rungs]
    assert sides == sorted(set(sides), reverse=True)  # so no two have the same name


@settings(deadline=None)
@given(sizes, presets)
def test_aspect_is_kept_to_a_pixel_of_the_long_side(size: tuple[int, int], steps: list[int]) -> None:
    for rung in rung_sizes(size, steps):
        exact = Fraction(max(size) * min(rung), min(size))
        # The short side may lose a line to be even; the long side is never larger than the source's.
        assert abs(max(rung) - min(exact, Fraction(even(max(size))))) <= 1


@settings(deadline=None)
@given(sizes, presets)
def test_portrait_and_landscape_have_the_same_names(size: tuple[int, int], steps: list[int]) -> None:
    turned = (size[1], size[0])
    assert [rung_name(r) for r in rung_sizes(size, steps)] == [
        rung_name(r) for r in rung_sizes(turned, steps)
    ]


@settings(deadline=None)
@given(sizes, presets)
def test_only_presets_and_the_source_itself_are_rungs(size: tuple[int, int], steps: list[int]) -> None:
    allowed = {*steps, even(min(size))}
    assert {min(rung) for rung in rung_sizes(size, steps)} <= allowed
