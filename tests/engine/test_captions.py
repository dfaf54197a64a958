"""Captions by machine, with a stand-in for the model: the library and a model are not needed to test what is ours."""

from fractions import Fraction
from pathlib import Path

import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.captions import NoCaptions, Said, Transcript, caption_cues, check, listener
from tests.clips import make_clip


class Parrot:
    """Hears the same in every sound, and notes what it was given."""

    heard: bytes = b""

    def listen(self, sound: Path) -> Transcript:
        self.heard = sound.read_bytes()[:44]
        said = [
            Said(
                start_s=0.5,
                end_s=1.0,
                text=" Hello <b>world</b>, said a rather long sentence that needs two lines.",
            ),
            Said(start_s=1.5, end_s=9.0, text="End."),
        ]
        return Transcript(language="en", said=iter(said))


class Broken:
    def listen(self, sound: Path) -> Transcript:
        raise RuntimeError("CUDA failed")


def test_what_is_said_becomes_cues(tmp_path: Path) -> None:
    clip, parrot = make_clip(tmp_path / "a.mp4"), Parrot()
    language, cues = caption_cues(parrot, clip, Fraction(2), toolchain().ffmpeg.path, tmp_path)
    assert language == "en"
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(500, 1000), (1500, 2000)]
    assert all(len(line) <= 50 for line in cues[0].text.splitlines())
    assert "<b>" not in cues[0].text
    assert parrot.heard[:4] == b"RIFF"
    assert int.from_bytes(parrot.heard[24:28], "little") == 16_000


def test_a_model_that_fails_is_told_of(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    with pytest.raises(NoCaptions, match="CUDA failed"):
        caption_cues(Broken(), clip, Fraction(2), toolchain().ffmpeg.path, tmp_path)


def test_without_a_model_or_the_library_a_sentence_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rushes.engine.captions._LIBRARY", "a_library_that_is_not_there")
    with pytest.raises(NoCaptions, match="RUSHES_CAPTIONS_MODEL"):
        check(None)
    with pytest.raises(NoCaptions, match="no folder"):
        check(tmp_path / "nothing")
    with pytest.raises(NoCaptions, match=r"pip install 'rushes\[captions\]'"):
        check(tmp_path)
    with pytest.raises(NoCaptions, match=r"pip install"):
        listener(tmp_path)
    assert listener(tmp_path, lambda folder: Parrot()) is not None
