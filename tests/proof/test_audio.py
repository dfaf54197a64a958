"""Sound is where it was: every joint, every codec and container; silence where the source has none."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rushes.engine.settings import AAC_FRAME_SAMPLES
from tests.proof.onsets import (
    SINE_HZ,
    Bursts,
    decode,
    joint_step_s,
    onset_error_s,
    sine,
    sine_error,
    write_wav,
)
from tests.proof.soundtracks import Heard, hear, make_source

DURATION_S = 58.0  # three chunks
ONSET_S = 0.001  # what is promised
MPEG4 = ("-c:v", "mpeg4", "-g", "50")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-threads:v", "1")
VP8 = ("-c:v", "libvpx", "-g", "50", "-deadline", "realtime", "-cpu-used", "8")


@dataclass(frozen=True)
class Case:
    suffix: str
    codec: str
    rate_hz: int
    channels: int
    picture: tuple[str, ...] = H264

    def __str__(self) -> str:
        return f"{self.codec}{self.suffix} {self.rate_hz} Hz, {self.channels} ch"


CASES = (
    Case(".mp4", "aac", 44_100, 2),
    Case(".mkv", "aac", 44_100, 2),  # milliseconds
    Case(".flv", "aac", 44_100, 2),  # milliseconds
    Case(".mp4", "aac", 48_000, 1),
    Case(".mkv", "libmp3lame", 44_100, 2),
    Case(".mp3", "libmp3lame", 44_100, 2, picture=()),
    Case(".webm", "libopus", 48_000, 2, picture=VP8),
    Case(".webm", "libvorbis", 44_100, 2, picture=VP8),
    Case(".ts", "ac3", 48_000, 6),
    Case(".avi", "pcm_s16le", 44_100, 2, picture=MPEG4),
    Case(".mov", "pcm_s16le", 48_000, 6),
    Case(".wav", "pcm_s16le", 22_050, 1, picture=()),
)


def source_of(case: Case, bursts: Bursts, folder: Path, duration_s: float = DURATION_S) -> Path:
    """Bursts on the first channel, the sine on the second, silence on the others."""
    channels = [bursts.signal(case.rate_hz, duration_s)]
    if case.channels > 1:
        channels.append(sine(case.rate_hz, duration_s))
    channels += [np.zeros_like(channels[0])] * (case.channels - len(channels))
    wav = write_wav(folder / "truth.wav", channels, case.rate_hz)
    streams = ("-map", "0:a", *(("-map", "1:v", *case.picture) if case.picture else ()))
    return make_source(
        folder / f"source{case.suffix}",
        ("-i", wav),
        (*streams, "-c:a", case.codec),
        picture_s=duration_s if case.picture else None,
    )


def assert_onsets(bursts: Bursts, heard: Heard) -> None:
    rate = heard.track.sample_rate_hz
    joints_s = [0.0, *(joint / rate for joint in heard.joints)]
    numbers = [n for n in bursts.near(joints_s, 0.4) if bursts.times_s[n] < len(heard.samples) / rate - 0.1]
    assert len(numbers) > 3 * len(joints_s)
    for number in numbers:
        error_s, likeness = onset_error_s(bursts, number, heard.samples[:, 0], rate)
        assert likeness > 0.9, f"the burst at {bursts.times_s[number]:.3f} s is not there"
        assert abs(error_s) <= ONSET_S, f"{error_s * 1000:.3f} ms at {bursts.times_s[number]:.3f} s"


def level(samples: np.ndarray) -> float:
    return float(np.max(np.abs(samples), initial=0.0))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_onsets_and_phase_are_exact_at_every_joint(case: Case, tmp_path: Path) -> None:
    bursts = Bursts.seeded(7, DURATION_S)

    tracks = hear(source_of(case, bursts, tmp_path), tmp_path)

    assert [heard.track.channels for heard in tracks] == ([2, 6] if case.channels == 6 else [case.channels])
    for heard in tracks:
        assert len(heard.samples) == heard.track.timeline.bounds[-1]
        assert heard.warnings == ()
        assert len(heard.chunk_joints) == 2
        assert_onsets(bursts, heard)
        if case.channels > 1:
            # Vorbis has frames of several sizes, so its container's milliseconds stay in the placing of chunks.
            step_s = 0.0005 if case.codec == "libvorbis" else 0.000025
            for joint in heard.chunk_joints:
                assert joint_step_s(heard.samples[:, 1], joint, heard.track.sample_rate_hz) < step_s


def test_no_joint_is_heard_in_a_steady_sine(tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "sine.wav", [sine(44_100, DURATION_S)], 44_100)

    (heard,) = hear(wav, tmp_path)

    sound, rate = heard.samples[:, 0], heard.track.sample_rate_hz
    assert len(heard.chunk_joints) == 2
    for joint in heard.joints:
        _, rest = sine_error(sound[joint - 2048 : joint + 2048], rate)
        # Measured: 0.001; a jump by a quarter of a period leaves about 1.
        assert rest < 0.01, f"a click at {joint / rate:.3f} s"


def test_sound_that_ends_early_goes_on_as_silence_to_the_end_of_the_picture(tmp_path: Path) -> None:
    bursts = Bursts.seeded(3, 10)
    wav = write_wav(tmp_path / "short.wav", [bursts.signal(48_000, 10)], 48_000)
    source = make_source(
        tmp_path / "short.mp4",
        ("-i", wav),
        ("-map", "0:a", "-map", "1:v", *H264, "-c:a", "aac"),
        picture_s=70,
    )

    (heard,) = hear(source, tmp_path)  # the second chunk has no sound to decode at all, nor has the third

    rate = heard.track.sample_rate_hz
    assert heard.track.timeline.chunk_count == 3
    picture_s = heard.plan.rungs[0].timeline.duration_s
    assert picture_s == 70
    assert 0 <= heard.track.timeline.duration_s - picture_s < AAC_FRAME_SAMPLES / rate
    assert len(heard.samples) == heard.track.timeline.bounds[-1]
    assert_onsets_until(bursts, heard, 9.5)
    assert level(heard.samples[int(10.1 * rate) :]) < 0.001


def assert_onsets_until(bursts: Bursts, heard: Heard, end_s: float, *, shift_s: float = 0.0) -> None:
    for number in np.flatnonzero(bursts.times_s < end_s):
        late = Bursts(bursts.times_s + shift_s, bursts.frequencies_hz)
        error_s, likeness = onset_error_s(late, number, heard.samples[:, 0], heard.track.sample_rate_hz)
        assert likeness > 0.9
        assert abs(error_s) <= ONSET_S


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_that_begins_late_is_silence_until_then(suffix: str, tmp_path: Path) -> None:
    bursts = Bursts.seeded(4, 6)
    wav = write_wav(tmp_path / "late.wav", [bursts.signal(48_000, 6)], 48_000)
    source = make_source(
        tmp_path / f"late{suffix}",
        ("-itsoffset", "34", "-i", wav),  # nothing at all in the first chunk
        ("-map", "0:a", "-map", "1:v", *H264, "-c:a", "aac"),
        picture_s=42,
    )

    (heard,) = hear(source, tmp_path)

    rate = heard.track.sample_rate_hz
    assert len(heard.samples) == heard.track.timeline.bounds[-1]
    assert level(heard.samples[: int(33.9 * rate)]) < 0.001
    assert_onsets_until(bursts, heard, 5.5, shift_s=34)


@pytest.mark.parametrize("gap_s", [0.064, 3.2])
def test_a_gap_in_the_source_is_silence_at_its_time(gap_s: float, tmp_path: Path) -> None:
    bursts, rate = Bursts.seeded(5, 40), 48_000
    wav = write_wav(tmp_path / "whole.wav", [bursts.signal(rate, 40), sine(rate, 40)], rate)
    hole = f"between(t,12.8,{12.8 + gap_s - 0.001})"
    source = make_source(
        tmp_path / "gap.mkv",
        ("-i", wav),
        (
            "-map",
            "0:a",
            "-map",
            "1:v",
            *H264,
            "-c:a",
            "ac3",
            "-bsf:a",
            f"noise=drop='{hole.replace('t,', 'pts*tb,')}'",
        ),
        picture_s=40,
    )

    (heard,) = hear(source, tmp_path)

    # AC-3's frames overlap by half of one and are 32 ms: that much on both sides of the gap is not judged.
    middle = heard.samples[
        int((12.8 + gap_s / 2 - 0.005) * 48_000) : int((12.8 + gap_s / 2 + 0.005) * 48_000), 1
    ]
    assert level(middle) < 0.05
    late = [n for n in range(len(bursts.times_s)) if 12.8 + gap_s + 0.1 < bursts.times_s[n] < 39]
    for number in late:
        error_s, likeness = onset_error_s(bursts, number, heard.samples[:, 0], 48_000)
        assert likeness > 0.9
        assert abs(error_s) <= ONSET_S


def test_every_track_is_a_rendition_of_its_own_with_language_and_title(tmp_path: Path) -> None:
    inputs: list[str | Path] = []
    for hz in (440, 880, 1760):
        inputs += ["-f", "lavfi", "-i", f"sine=frequency={hz}:sample_rate=44100:duration=3"]
    tags = (
        "-metadata:s:a:0",
        "language=eng",
        "-metadata:s:a:1",
        "language=deu",
        "-metadata:s:a:1",
        "title=Kommentar",
    )
    source = make_source(
        tmp_path / "tracks.mkv",
        inputs,
        ("-map", "0:a", "-map", "1:a", "-map", "2:a", "-map", "3:v", *H264, "-c:a", "aac", *tags),
        picture_s=3,
    )

    heard = hear(source, tmp_path)

    assert [h.track.language for h in heard] == ["eng", "deu", None]
    assert [h.track.name for h in heard] == ["audio-1-eng", "audio-2-deu", "audio-3-und"]
    assert heard[1].track.title == "Kommentar"
    assert [h.track.default for h in heard].count(True) == 1
    for track, hz in zip(heard, (440, 880, 1760), strict=True):
        sound, rate = track.samples[:, 0], track.track.sample_rate_hz
        spectrum = np.abs(np.fft.rfft(sound[rate : 2 * rate]))
        assert np.argmax(spectrum) == hz
    assert len({len(h.samples) for h in heard}) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_a_copied_track_has_the_samples_of_its_source(suffix: str, rate_hz: int, tmp_path: Path) -> None:
    wav = write_wav(
        tmp_path / "sine.wav", [Bursts.seeded(6, DURATION_S).signal(rate_hz, DURATION_S)], rate_hz
    )
    options = ("-map", "0:a", "-map", "1:v", *H264, "-c:a", "aac")
    source = make_source(tmp_path / f"source{suffix}", ("-i", wav), options, picture_s=DURATION_S)

    (heard,) = hear(source, tmp_path, copy=True)

    assert heard.track.method == "copy"
    assert heard.track.sample_rate_hz == rate_hz
    truth = decode(source, 1)
    assert len(heard.samples) == heard.track.timeline.bounds[-1]
    assert abs(heard.track.timeline.duration_s - heard.plan.duration_s) <= 0.1
    # The source's decoder has heard the priming frame before; ours begins with silence there.
    common = slice(AAC_FRAME_SAMPLES, min(len(truth), len(heard.samples)) - AAC_FRAME_SAMPLES)
    assert np.array_equal(heard.samples[common], truth[common])


def test_a_sine_that_jumps_would_be_seen() -> None:
    # The measure itself: half a millisecond cut out of a sine is a step of that size, and a click.
    whole = sine(48_000, 2)
    cut = np.concatenate((whole[:48_000], whole[48_024:])).astype(np.float32)

    assert joint_step_s(cut, 48_000, 48_000) == pytest.approx(min(0.0005, 1 / SINE_HZ - 0.0005), abs=1e-6)
    assert sine_error(cut[46_000:50_000], 48_000)[1] > 0.5
