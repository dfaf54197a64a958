"""What a folder's records say is believed only while every file they speak of is there."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rushes.engine.assembly import Made
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.planning import make_plan
from rushes.engine.records import STATE_FOLDER, Records
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from tests.engine.sources import film, sound

PLAN = make_plan(film(duration_s=20, tracks=[sound()]), Settings(copy=False), "a build")
RUNG = PLAN.rungs[0]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def records(store: FolderStore) -> Records:
    return Records(store)


def publish(store: FolderStore, rendition: Rung | AudioTrack = RUNG, chunk: int = 0) -> Made:
    """Files as a run leaves them: the init segment and the chunk's segments, each of another size."""
    store.write(rendition.init_name, b"init")
    segments = rendition.timeline.chunk_segments(chunk)
    for number in segments:
        store.write(rendition.segment_name(number), b"x" * (10 + number))
    sizes = tuple(10 + number for number in segments)
    return Made(rendition=rendition.name, chunk=chunk, segment_bytes=sizes)


def record_path(store: FolderStore, rendition: Rung | AudioTrack = RUNG, chunk: int = 0) -> Path:
    return store.path(f"{STATE_FOLDER}/{rendition.folder}/{chunk}.json")


@pytest.mark.parametrize("name", [rendition.name for rendition in PLAN.renditions])
def test_a_committed_chunk_is_read_back_with_its_warnings(
    store: FolderStore, records: Records, name: str
) -> None:
    rendition = PLAN.rendition(name)
    for chunk in range(rendition.timeline.chunk_count):
        made = publish(store, rendition, chunk)
        assert records.read(rendition, chunk) is None  # files alone are not a commit
        records.commit(rendition, made, ("The end is damaged.", "«ü»"))
        assert records.read(rendition, chunk) == (made, ("The end is damaged.", "«ü»"))


def test_a_new_process_finds_what_an_earlier_one_committed(store: FolderStore, records: Records) -> None:
    made = publish(store)
    records.commit(RUNG, made)
    assert Records(FolderStore(store.root)).read(RUNG, 0) == (made, ())


def test_a_chunk_s_record_tells_nothing_of_other_chunks_and_rungs(
    store: FolderStore, records: Records
) -> None:
    for rung in PLAN.rungs:
        publish(store, rung, 0)
    publish(store, RUNG, 1)
    records.commit(RUNG, publish(store, RUNG, 0))
    assert records.read(RUNG, 1) is None
    assert all(records.read(rung, 0) is None for rung in PLAN.rungs[1:])


@pytest.mark.parametrize(
    "missing", [RUNG.init_name, *map(RUNG.segment_name, RUNG.timeline.chunk_segments(0))]
)
def test_a_missing_file_has_its_chunk_made_again(store: FolderStore, records: Records, missing: str) -> None:
    records.commit(RUNG, publish(store))
    store.delete(missing)
    assert records.read(RUNG, 0) is None


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 1000])
@pytest.mark.parametrize("number", RUNG.timeline.chunk_segments(0))
def test_a_file_of_another_size_has_its_chunk_made_again(
    store: FolderStore, records: Records, number: int, data: bytes
) -> None:
    records.commit(RUNG, publish(store))
    store.path(RUNG.segment_name(number)).write_bytes(data)
    assert records.read(RUNG, 0) is None


def test_a_chunk_that_is_made_again_is_committed_again(store: FolderStore, records: Records) -> None:
    records.commit(RUNG, publish(store), ("once",))
    store.delete(RUNG.segment_name(1))
    made = publish(store)
    records.commit(RUNG, made, ("twice",))
    assert records.read(RUNG, 0) == (made, ("twice",))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\0" * 200,  # what a file system leaves of a file after a power cut
        b"null",
        b"[]",
        b"{}",
        b'{"segment_bytes": [10, 11',
        b'{"segment_bytes": null}',
        b'{"segment_bytes": ["10", "11", "12", "13"]}',
        b'{"segment_bytes": [10, 11, 12]}',
        b'{"segment_bytes": [10, 11, 12, 13, 14]}',
        b'{"segment_bytes": []}',
        b'{"segment_bytes": [10, 11, 12, 13], "warnings": [1]}',
        b'{"segment_bytes": [10, 11, 12, 13], "of a later version": true}',
        b"\xff\xfe",
        b'{"segment_bytes": [10, 11, 12, 13], "warnings": ["\xff"]}',
        b'{"segment_bytes": [' + b"[" * 100_000,
    ],
)
def test_a_record_that_makes_no_sense_has_its_chunk_made_again(
    store: FolderStore, records: Records, text: bytes
) -> None:
    assert publish(store).segment_bytes == (10, 11, 12, 13)
    path = record_path(store)
    path.parent.mkdir(parents=True)
    path.write_bytes(text)
    assert records.read(RUNG, 0) is None


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.just("segment_bytes"), inner),
        max_leaves=8,
    ).map(msgspec.json.encode)
)
def test_no_record_at_all_is_an_error(store: FolderStore, records: Records, text: bytes) -> None:
    publish(store)
    path = record_path(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text)
    assert records.read(RUNG, 0) is None


def test_other_settings_do_not_see_an_earlier_encode_s_records(store: FolderStore, records: Records) -> None:
    records.commit(RUNG, publish(store))
    other = make_plan(film(duration_s=20), Settings(copy=False, quality="best"), "a build").rungs[0]
    assert other.name == RUNG.name
    assert records.read(other, 0) is None


def test_the_plan_is_kept_beside_the_records(store: FolderStore, records: Records) -> None:
    assert records.read_plan() is None
    records.write_plan(b"one")
    records.write_plan(b"another")
    assert records.read_plan() == b"another"


def every_chunk(plan: Plan, store: FolderStore, records: Records) -> None:
    for rendition in plan.renditions:
        for chunk in range(rendition.timeline.chunk_count):
            records.commit(rendition, publish(store, rendition, chunk))


def test_an_earlier_encode_is_forgotten_except_for_what_is_still_used(
    store: FolderStore, records: Records
) -> None:
    every_chunk(PLAN, store, records)
    kept = make_plan(film(duration_s=20, tracks=[sound()]), Settings(copy=False, rungs=(720, 480)), "a build")
    records.forget(PLAN, kept)
    for rendition in PLAN.renditions:
        used = rendition.folder in {other.folder for other in kept.renditions}
        assert store.path(rendition.folder).exists() is used
        assert (records.read(rendition, 0) is not None) is used
    assert not store.path("360p").exists()


def test_forgetting_leaves_what_is_not_of_the_plan(store: FolderStore, records: Records) -> None:
    every_chunk(PLAN, store, records)
    store.write("holiday.mov", b"precious")
    store.write("720p/notes.txt", b"precious too")
    store.write("720p/index.m3u8", b"#EXTM3U")
    other = make_plan(film(duration_s=20), Settings(copy=False, quality="best"), "a build")
    records.forget(PLAN, other)
    assert store.read("holiday.mov") == b"precious"
    assert store.read("720p/notes.txt") == b"precious too"
    assert not store.exists("720p/index.m3u8"), "it names segments that are gone"
