"""The store: whole files or none, below its root and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rushes.videos.store import MediaStore, adopt_source, folders_of, hls_store


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


def file(folder: Path, content: bytes = b"content") -> Path:
    path = folder / "a file"
    path.write_bytes(content)
    return path


def test_a_put_file_is_whole_under_its_name_and_gone_from_where_it_was(media: Path, tmp_path: Path) -> None:
    store = MediaStore()
    came = file(tmp_path)
    store.put("mp4/7/video.mp4", came)
    assert not came.exists()
    assert store.read("mp4/7/video.mp4") == b"content"
    assert store.size_bytes("mp4/7/video.mp4") == 7
    with store.open("mp4/7/video.mp4") as opened:
        opened.seek(3)
        assert opened.read() == b"tent"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system here: /dev/shm")
def test_from_another_file_system_a_file_appears_whole(media: Path, tmp_path: Path) -> None:
    other = Path("/dev/shm") / f"rushes-test-{os.getpid()}"
    other.mkdir()
    try:
        if other.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is the file system of the temporary files")
        MediaStore().put_durably("mp4/7/video.mp4", file(other))
        assert [path.name for path in (media / "mp4" / "7").iterdir()] == ["video.mp4"]
        assert not list(other.iterdir())
    finally:
        for path in other.iterdir():
            path.unlink()
        other.rmdir()


def test_a_put_that_fails_leaves_what_was_there(
    media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MediaStore()
    store.write("hls/7/master.m3u8", b"old")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    came = file(tmp_path)
    with pytest.raises(OSError, match="no space"):
        store.put("hls/7/master.m3u8", came)
    with pytest.raises(OSError, match="no space"):
        store.write("hls/7/master.m3u8", b"new")
    monkeypatch.undo()
    assert store.read("hls/7/master.m3u8") == b"old"
    assert [path.name for path in (media / "hls" / "7").iterdir()] == ["master.m3u8"]
    assert came.exists()


def test_what_must_not_be_lost_is_synced_up_to_the_root(
    media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: set[Path] = set()
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.add(Path(os.readlink(f"/proc/self/fd/{descriptor}")))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    name = adopt_source(7, file(tmp_path))
    assert synced >= {media / name, media / "sources" / "7", media / "sources", media}


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "a/../../x", "", ".", "/", "a/\0", "..", "sources/7/../../../x", "a/./../b"],
)
def test_names_cannot_leave_the_root(media: Path, tmp_path: Path, name: str) -> None:
    store = MediaStore()
    came = file(tmp_path)
    for ask in (
        store.path,
        store.exists,
        store.read,
        store.open,
        store.delete,
        store.size_bytes,
        store.remove_tree,
    ):
        with pytest.raises(ValueError, match="not the name"):
            ask(name)
    with pytest.raises(ValueError, match="not the name"):
        store.put(name, came)
    assert came.exists()


def test_sources_have_names_of_ours(media: Path, tmp_path: Path) -> None:
    names = {adopt_source(7, file(tmp_path)) for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("sources/7/") for name in names)


def test_a_videos_folders_are_all_there_is_of_it(media: Path, tmp_path: Path) -> None:
    source = adopt_source(7, file(tmp_path))
    hls_store(7).write("720p/index.m3u8", b"#EXTM3U")
    assert MediaStore().exists("hls/7/720p/index.m3u8")
    assert {"sources/7", "hls/7", "images/7", "mp4/7"} <= set(folders_of(7))
    kept = adopt_source(8, file(tmp_path))
    for folder in folders_of(7):
        MediaStore().remove_tree(folder)
    assert not MediaStore().exists(source)
    assert MediaStore().exists(kept)
