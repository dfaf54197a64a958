"""Loudness as EBU R 128 defines it, and gains that follow from it."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.binaries import toolchain
from rushes.engine.loudness import (
    Heard,
    Loudness,
    gain_centibels,
    heard_of,
    heard_of_source,
    measure_loudness,
)
from rushes.engine.planning import make_plan
from rushes.engine.probe import probe
from rushes.engine.process import FfmpegFailed
from rushes.engine.settings import Settings
from tests.engine.sources import film, sound
from tests.proof.soundtracks import hear, make_source

#: 997 Hz on both channels at -23 dBFS is -23 LUFS (EBU Tech 3341, case 1).
TONE = "aevalsrc=exprs={expression}:s=48000:d=4:c={layout}"
LEVEL = 10 ** (-23 / 20)


def tone(path: Path, levels: list[float], layout: str, codec: str = "pcm_f32le") -> Path:
    expression = "|".join(f"{level:.6f}*sin(2*PI*997*t)" for level in levels)
    source = ["-f", "lavfi", "-i", TONE.format(expression=expression, layout=layout)]
    return make_source(
        path, source, ["-map", "0:a", "-map", "1:v", "-c:a", codec, "-c:v", "libx264"], picture_s=4
    )


def test_a_tone_is_as_loud_as_the_standard_says(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", [LEVEL, LEVEL], "stereo")
    heard = Heard(name="audio-1-und", stream_index=0, channels=2, source_channels=2)
    measured = measure_loudness([heard], path, toolchain().ffmpeg.path, tmp_path)["audio-1-und"]
    assert measured.integrated_lufs == pytest.approx(-23, abs=0.1)
    assert measured.true_peak_dbtp == pytest.approx(-23, abs=0.2)
    assert measured.range_lu == pytest.approx(0, abs=0.2)


def test_a_track_that_cannot_be_decoded_leaves_the_others_their_loudness(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.mkv", [LEVEL, LEVEL], "stereo", codec="flac")
    both, broken = tmp_path / "both.mkv", tmp_path / "broken.mkv"
    streams = ["-map", "0:a", "-map", "0:a", "-c", "copy", "-write_crc32", "0"]
    ffmpeg = toolchain().ffmpeg.path
    subprocess.run([ffmpeg, "-v", "error", "-i", whole, *streams, both], check=True)
    data = both.read_bytes()
    at = data.index(b"A_FLAC", data.index(b"A_FLAC") + 1)
    broken.write_bytes(data[:at] + b"A_NONE" + data[at + 6 :])
    heard = [
        Heard(name=f"audio-{number}", stream_index=number, channels=2, source_channels=2) for number in (0, 1)
    ]
    measured = measure_loudness(heard, broken, ffmpeg, tmp_path)
    assert list(measured) == ["audio-0"]
    assert measured["audio-0"].integrated_lufs == pytest.approx(-23, abs=0.1)
    with pytest.raises(FfmpegFailed):
        measure_loudness(heard[1:], broken, ffmpeg, tmp_path)


def test_silence_has_no_loudness_and_is_not_made_louder(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", [0, 0], "stereo")
    heard = Heard(name="a", stream_index=0, channels=2, source_channels=2)
    measured = measure_loudness([heard], path, toolchain().ffmpeg.path, tmp_path)["a"]
    assert measured.integrated_lufs is None
    assert gain_centibels(measured, -16) == 0


@pytest.mark.parametrize(
    ("integrated", "peak", "gain"),
    [
        (-23.0, -20.0, 70),
        (-10.0, 0.5, -60),
        (-23.0, -4.0, 30),  # what its peaks allow
        (-23.0, -0.5, 0),  # nothing
        (-50.0, -49.0, 200),  # at most
        (None, None, 0),
    ],
)
def test_a_gain_brings_a_track_to_the_target_and_never_clips(
    integrated: float | None, peak: float | None, gain: int
) -> None:
    assert gain_centibels(Loudness(integrated_lufs=integrated, range_lu=1, true_peak_dbtp=peak), -16) == gain


def test_a_normalised_track_is_as_loud_as_was_asked(tmp_path: Path) -> None:
    path, tools = tone(tmp_path / "a.mkv", [LEVEL, LEVEL], "stereo"), toolchain()
    source = probe(path, tools)
    before = measure_loudness(heard_of_source(source), path, tools.ffmpeg.path, tmp_path)
    gains = {name: gain_centibels(loudness, -16) for name, loudness in before.items()}
    plan = make_plan(source, Settings(), "build", gains)
    assert plan.audio[0].gain_centibels == 70
    after = measure_loudness(heard_of(plan), path, tools.ffmpeg.path, tmp_path)
    assert after["audio-1-und"].integrated_lufs == pytest.approx(-16, abs=0.1)


def test_the_gain_is_part_of_the_key_and_a_track_that_is_changed_is_not_copied() -> None:
    source = film(tracks=[sound(1)])
    plain = make_plan(source, Settings(), "build").audio[0]
    louder = make_plan(source, Settings(), "build", {"audio-1-und": 30}).audio[0]
    assert (plain.method, louder.method) == ("copy", "encode")
    assert plain.key != louder.key
    assert louder.key != make_plan(source, Settings(), "build", {"audio-1-und": 31}).audio[0].key


def test_surround_is_heard_in_stereo_and_in_surround(tmp_path: Path) -> None:
    # left, right, centre, effects, sides: the effects are left out, the centre is 3 dB softer in both channels
    path = tone(tmp_path / "a.mkv", [0.0, 0.0, 0.25, 0.5, 0.0, 0.0], "5.1", codec="pcm_s16le")
    stereo, surround = hear(path, tmp_path)
    assert (stereo.track.name, surround.track.name) == ("audio-1-und", "audio-1-und-51")
    assert (stereo.samples.shape[1], surround.samples.shape[1]) == (2, 6)
    middle = slice(48_000, 144_000)
    assert np.abs(stereo.samples[middle]).max(axis=0) == pytest.approx([0.1768, 0.1768], rel=0.05)
    assert np.abs(surround.samples[middle]).max(axis=0)[2] == pytest.approx(0.25, rel=0.05)


def test_a_mix_beyond_full_scale_is_limited_and_its_joints_are_smooth(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", [0.9, 0.9, 0.9, 0.0, 0.9, 0.9], "5.1")
    stereo = hear(path, tmp_path)[0]
    middle = stereo.samples[24_000:168_000]
    assert np.abs(middle).max() < 1.0
    assert np.abs(middle).max() > 0.8


def test_ffmpeg_says_nothing_of_the_options_that_mix(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.mkv", [0.1] * 8, "7.1")
    tracks = [
        Heard(name="stereo", stream_index=0, channels=2, source_channels=8),
        Heard(name="surround", stream_index=0, channels=6, source_channels=8),
    ]
    measured = measure_loudness(tracks, path, toolchain().ffmpeg.path, tmp_path)
    assert set(measured) == {"stereo", "surround"}
    assert all(loudness.integrated_lufs is not None for loudness in measured.values())
    assert subprocess.run([toolchain().ffmpeg.path, "-version"], check=True, capture_output=True).stdout
