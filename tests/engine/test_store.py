"""A folder store: names never leave its folder, and a file is there whole or not at all."""

import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rushes.engine.store import FolderStore, SegmentStore

NAME = "720p/0123456789abcdef/3.m4s"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "out")


def file_of(tmp_path: Path, data: bytes, name: str = "scratch.m4s") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        "..",
        "../out2/x",
        "720p/../../x",
        "720p/..",
        "a\0b",
        "720p/\0",
    ],
)
def test_a_name_that_is_not_below_the_folder_is_refused_by_everything(
    store: FolderStore, tmp_path: Path, name: str
) -> None:
    scratch = file_of(tmp_path, b"data")
    for act in (
        store.path,
        store.exists,
        store.size_bytes,
        store.read,
        store.delete,
        store.delete_folder,
        lambda name: store.put(name, scratch),
        lambda name: store.write(name, b"data"),
    ):
        with pytest.raises(ValueError, match="not the name of a file below"):
            act(name)
    assert scratch.read_bytes() == b"data"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.sampled_from(list("./\\~a0:\0é \n")), max_size=16))
@example("....//x")
@example("a/./b")
@example("~/x")
def test_whatever_is_taken_for_a_name_lies_below_the_folder(store: FolderStore, name: str) -> None:
    try:
        path = store.path(name)
    except ValueError:
        return
    assert store.root in Path(os.path.normpath(path)).parents


def test_a_file_is_taken_over(store: FolderStore, tmp_path: Path) -> None:
    published: SegmentStore = store
    scratch = file_of(tmp_path, b"segment")
    assert not published.exists(NAME)
    assert published.size_bytes(NAME) is None
    published.put(NAME, scratch)
    assert not scratch.exists()
    assert published.exists(NAME)
    assert published.size_bytes(NAME) == 7
    assert published.read(NAME) == b"segment"
    assert files_below(store.root) == {NAME}


def test_the_same_name_may_be_put_twice(store: FolderStore, tmp_path: Path) -> None:
    for _ in range(2):
        store.put(NAME, file_of(tmp_path, b"segment"))
    assert store.read(NAME) == b"segment"


def test_a_reader_who_holds_a_file_open_keeps_what_it_was(store: FolderStore, tmp_path: Path) -> None:
    store.put(NAME, file_of(tmp_path, b"first"))
    with store.path(NAME).open("rb") as reader:
        store.put(NAME, file_of(tmp_path, b"second, and longer"))
        assert reader.read() == b"first"
    assert store.read(NAME) == b"second, and longer"


def test_nobody_ever_reads_a_part_of_a_file(store: FolderStore) -> None:
    versions = [bytes([number]) * 200_000 for number in range(40)]
    seen: set[bytes] = set()
    ended = threading.Event()
    store.write("master.m3u8", versions[0])

    def read() -> None:
        while not ended.is_set():
            seen.add(store.read("master.m3u8"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for version in versions:
            store.write("master.m3u8", version)
    finally:
        ended.set()
        reader.join()
    assert seen <= set(versions)
    assert files_below(store.root) == {"master.m3u8"}


def test_what_is_not_there_is_not_found_and_leaves_no_trace(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.read(NAME)
    with pytest.raises(FileNotFoundError):
        store.put(NAME, tmp_path / "never-written")
    assert not store.exists(NAME)
    assert not store.root.exists() or files_below(store.root) == set()
    store.delete(NAME)  # deleting twice is deleting once


def test_a_folder_is_no_file(store: FolderStore, tmp_path: Path) -> None:
    store.put(NAME, file_of(tmp_path, b"x"))
    assert not store.exists("720p")


def test_what_is_below_a_file_is_not_there(store: FolderStore) -> None:
    store.write("720p", b"a file where a folder should be")
    assert not store.exists("720p/init.mp4")
    assert store.size_bytes("720p/init.mp4") is None


@pytest.fixture
def other_file_system(tmp_path: Path) -> Path:
    """A folder from which nothing can be renamed into tmp_path."""
    for candidate in (Path("/dev/shm"), Path("/run/shm")):
        if candidate.is_dir() and candidate.stat().st_dev != tmp_path.stat().st_dev:
            folder = candidate / f"rushes-{os.getpid()}-{tmp_path.name}"
            try:
                folder.mkdir()
            except OSError:
                continue
            return folder
    pytest.skip("there is no second file system to write to")


def test_a_file_of_another_file_system_is_copied_and_then_appears(
    store: FolderStore, other_file_system: Path
) -> None:
    scratch = file_of(other_file_system, b"segment" * 1000)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
            os.replace(scratch, store.root.parent / "moved")
        store.put(NAME, scratch)
        assert store.read(NAME) == b"segment" * 1000
        assert not scratch.exists()
        assert files_below(store.root) == {NAME}
    finally:
        scratch.unlink(missing_ok=True)
        other_file_system.rmdir()


def test_a_put_that_fails_leaves_its_file_and_no_half(store: FolderStore, tmp_path: Path) -> None:
    store.path(NAME).mkdir(parents=True)  # a folder stands where the file should go
    scratch = file_of(tmp_path, b"segment")
    with pytest.raises(OSError, match=r"."):
        store.put(NAME, scratch)
    assert scratch.read_bytes() == b"segment"
    assert files_below(store.root) == set()


def test_a_folder_goes_with_all_it_holds_and_its_parent_when_that_is_empty(
    store: FolderStore, tmp_path: Path
) -> None:
    for name in ("720p/old/init.mp4", "720p/old/0.m4s", "720p/new/0.m4s", "480p/old/0.m4s"):
        store.put(name, file_of(tmp_path, b"x"))
    store.delete_folder("720p/old")
    store.delete_folder("480p/old")
    store.delete_folder("480p/old")
    assert files_below(store.root) == {"720p/new/0.m4s"}
    assert not (store.root / "480p").exists()


def test_a_folder_s_link_to_elsewhere_is_not_followed_when_it_is_deleted(
    store: FolderStore, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "film.mov").write_bytes(b"x")
    (store.root / "720p").mkdir(parents=True)
    (store.root / "720p" / "old").symlink_to(precious)
    store.delete_folder("720p/old")
    assert (precious / "film.mov").exists()
