"""A poster stands for its video: a picture of it, neither black nor blurred, in its shape."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rushes.engine.limits import check_input_guards, ffmpeg_argv
from rushes.engine.plan import Rung
from rushes.engine.poster import Look, choose, look_command, poster_command, read_looks, write_poster
from rushes.engine.process import Cancelled
from rushes.engine.stills import thumbnail_size
from rushes.engine.store import FolderStore
from tests.engine.conftest import MOSTLY_BLACK
from tests.engine.finished import Finished
from tests.engine.pictures import desk, grey, luma, size_of

Made = Callable[..., Finished]


def poster(done: Finished, rung: Rung, folder: Path) -> tuple[Path, Path]:
    large, thumb = folder / "images" / "poster.jpg", folder / "images" / "thumbnail.jpg"
    write_poster(rung, large, thumb, desk(done, folder))
    assert list((folder / "scratch").iterdir()) == []
    return large, thumb


def look(**known: float) -> Look:
    plain = {"dark": 30, "bright": 200, "contrast": 200, "luma": 110, "blue": 128, "red": 128, "blur": 4}
    return Look(**{**plain, **known})


def test_poster_and_thumbnail_are_pictures_of_the_video_and_not_black(film: Finished, tmp_path: Path) -> None:
    large, thumb = poster(film, film.plan.rungs[0], tmp_path)
    assert size_of(large) == ("mjpeg", 320, 180)
    assert size_of(thumb) == ("mjpeg", 320, 180)
    assert luma(large) > 60


def test_a_video_that_is_black_has_a_black_poster(made: Made, tmp_path: Path) -> None:
    done = made((160, 90), 20, ["-vf", MOSTLY_BLACK.format(99)])
    large, _ = poster(done, done.plan.rungs[0], tmp_path)
    assert luma(large) < 5


def test_a_short_video_that_begins_black_has_a_picture(made: Made, tmp_path: Path) -> None:
    """Its keyframes are all black: the rest of its segments is looked at too."""
    done = made((160, 90), 1.5, ["-vf", MOSTLY_BLACK.format(0.6)])
    large, _ = poster(done, done.plan.rungs[0], tmp_path)
    assert luma(large) > 60


def test_a_blurred_picture_is_passed_over(made: Made, tmp_path: Path) -> None:
    blurred = made((320, 180), 40, ["-vf", "gblur=sigma=9:enable='lt(mod(t,10),7)'"])
    large, _ = poster(blurred, blurred.plan.rungs[0], tmp_path)
    seen = grey(large)
    steps = [abs(a - b) for a, b in pairwise(seen)]
    # The test picture has hard edges wherever one looks; blurred by 9 pixels it has none.
    assert sum(step > 60 for step in steps) > 500


def test_a_single_frame_is_its_own_poster(made: Made, tmp_path: Path) -> None:
    done = made((160, 90), 0.1)
    assert size_of(poster(done, done.plan.rungs[0], tmp_path)[0])[1:] == (160, 90)


def test_a_portrait_video_has_a_portrait_thumbnail(made: Made, tmp_path: Path) -> None:
    done = made((360, 642), 1)
    rung = done.plan.rungs[0]
    large, thumb = poster(done, rung, tmp_path)
    assert size_of(large)[1:] == (rung.width, rung.height)
    assert size_of(thumb)[1:] == thumbnail_size(rung.width, rung.height) == (320, 570)


def test_the_choice_is_lit_shows_something_is_sharp_and_typical() -> None:
    black, blank = look(bright=20, contrast=4), look(bright=235, dark=235, contrast=3, luma=235)
    soft, odd, good = look(blur=20, luma=111), look(luma=180, red=200), look()
    assert choose([black, blank, soft, soft, odd, good, good]) == 5
    assert choose([black, blank]) == 1
    assert choose([black]) == 0


def test_a_picture_without_edges_is_the_most_blurred_of_all() -> None:
    text = "".join(
        f"frame:{n} pts:{n}\nlavfi.signalstats.YAVG=100\nlavfi.blur={blur}\n"
        for n, blur in enumerate(("-nan", "4.5"))
    )
    assert [look.blur for look in read_looks(text)] == [float("inf"), 4.5]


def test_only_keyframes_are_decoded_where_there_are_enough(film: Finished) -> None:
    rung = film.plan.rungs[0]
    for command in (look_command(rung, "/in.mp4", 12), poster_command(rung, "/in.mp4", ["a", "b"], 12, 3)):
        check_input_guards(ffmpeg_argv("ffmpeg", command))
        assert command[command.index("-skip_frame") + 1] == "nokey"


def test_a_cancelled_poster_leaves_nothing(film: Finished, tmp_path: Path) -> None:
    cancel = threading.Event()

    class Slow(FolderStore):
        def read(self, name: str) -> bytes:
            if cancel.is_set():
                time.sleep(0.5)  # so that ffmpeg has to wait for its input
            cancel.set()
            return super().read(name)

    slow = replace(desk(film, tmp_path), store=Slow(film.store.root), cancel=cancel)
    with pytest.raises(Cancelled):
        write_poster(film.plan.rungs[0], tmp_path / "large.jpg", tmp_path / "thumb.jpg", slow)
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]
