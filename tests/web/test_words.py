import pytest

from rushes.videos.models import Video
from rushes.web.words import State, clock_duration, ordinal, rough_duration, title_of


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(status="uploading"), "Uploading"),
        (State(status="pending"), "Waiting"),
        (State(status="pending", queue_position=3), "Waiting, 3rd in line"),
        (State(status="pending", queue_position=1), "Waiting, 1st in line"),
        (State(status="processing", queue_position=1), "Processing 0 %"),
        (
            State(status="processing", progress_percentage=42, eta_s=100, queue_position=2),
            "Processing 42 %, about 2 min, 2nd in line",
        ),
        (State(status="ready", progress_percentage=100, playable=True), "Ready"),
        (State(status="failed", error="this is a shopping list"), "Failed: this is a shopping list"),
        (State(status="failed"), "Failed: no reason was given"),
    ],
)
def test_a_state_is_said_in_words(state: State, words: str) -> None:
    assert state.words == words


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State(status="processing"), ""),
        (State(status="processing", playable=True), "Playable while it is being encoded"),
        (State(status="failed", playable=True), "What is there can be played"),
        (State(status="ready", playable=True), ""),
    ],
)
def test_what_can_be_watched_before_it_is_ready_is_said(state: State, words: str) -> None:
    assert state.playable_words == words


def test_a_screen_reader_hears_of_each_quarter_alone() -> None:
    heard = {State(status="processing", progress_percentage=percent).spoken for percent in range(100)}
    assert heard == {f"Processing, {step} percent" for step in (0, 25, 50, 75)}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "10 s"), (11, "20 s"), (50, "50 s"), (51, "1 min"), (61, "2 min"), (5400, "90 min"), (5401, "2 h")],
)
def test_a_time_that_nobody_knows_exactly_is_rounded_up(seconds: float, words: str) -> None:
    assert rough_duration(seconds) == words


def test_places_in_line_are_counted_as_people_do() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "clock"), [(None, ""), (0.2, "0:01"), (65, "1:05"), (7209, "2:00:09"), (3599.6, "1:00:00")]
)
def test_a_length_is_shown_as_a_clock(seconds: float | None, clock: str) -> None:
    assert clock_duration(seconds) == clock


def test_a_video_without_a_title_is_called_by_its_file() -> None:
    assert title_of(Video(title="Dawn", original_name="a.mp4")) == "Dawn"
    assert title_of(Video(original_name="a.mp4")) == "a.mp4"
    assert title_of(Video()) == "Untitled"
