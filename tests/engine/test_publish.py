"""The playlists of a finished session, as files."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rushes.engine.binaries import toolchain
from rushes.engine.plan import Plan
from rushes.engine.prepare import prepared
from rushes.engine.publish import write_playlists
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore


def published(plan: Plan, source: Path, folder: Path) -> set[str]:
    session = Session(plan, source, folder, ffmpeg=toolchain().ffmpeg.path)
    session.start()
    session.join()
    session.close()
    write_playlists(plan, session, FolderStore(folder))
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in (".m3u8", ".mpd")}


def plan_of(source: Path, folder: Path) -> Plan:
    with prepared(source, Settings(rungs=(180, 144), copy=False), toolchain(), folder / "scratch") as ready:
        return ready.plan


def test_every_rung_and_track_has_its_playlists(clip: Callable[..., Path], tmp_path: Path) -> None:
    source = clip(duration_s=2)

    names = published(plan_of(source, tmp_path), source, tmp_path / "out")

    assert names == {
        *("master.m3u8", "manifest.mpd", "audio-1-und/audio.m3u8"),
        *(f"{rung}/{name}.m3u8" for rung in ("180p", "144p") for name in ("index", "video", "iframes")),
    }


def test_a_rung_that_is_not_complete_is_not_listed(clip: Callable[..., Path], tmp_path: Path) -> None:
    source = clip(duration_s=2)
    plan = plan_of(source, tmp_path)
    # No encoder has that preset: the rung fails. The other is there from an earlier session.
    broken = replace(plan, rungs=(replace(plan.rungs[0], preset="none such"), plan.rungs[1]))
    published(replace(plan, rungs=plan.rungs[1:]), source, tmp_path / "out")

    names = published(broken, source, tmp_path / "out")

    assert "144p/index.m3u8" in names
    assert "180p/index.m3u8" not in names
    assert "180p" not in (tmp_path / "out" / "master.m3u8").read_text()
