"""Sound with known truth: bursts at known times and a steady sine, and what is left of both after an encode.

A signal is written as a formula of time, so it is the same at any sample rate: what was decoded at 48 kHz is compared
with the formula itself, not with another decode.
"""

import subprocess
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rushes.engine.binaries import toolchain

Samples = NDArray[np.float32]

BURST_S = 0.02
SINE_HZ = 997.0  # no divisor of any sample rate: every frame sees another phase
_GAPS_S = (0.06, 0.14)  # between bursts; irregular, so that a shift by a burst is not mistaken for none
_AMPLITUDE = 0.5


@dataclass(frozen=True)
class Bursts:
    """Bursts at `times_s`, chirps upwards from `frequencies_hz`; from a seed."""

    times_s: NDArray[np.float64]
    frequencies_hz: NDArray[np.float64]

    @classmethod
    def seeded(cls, seed: int, duration_s: float) -> "Bursts":
        """Bursts over `duration_s`, about ten a second."""
        rng = np.random.default_rng(seed)
        gaps = rng.uniform(*_GAPS_S, size=int(duration_s / _GAPS_S[0]) + 1)
        times = np.cumsum(gaps)
        times = times[times < duration_s - 2 * BURST_S]
        return cls(times, rng.uniform(300, 900, size=len(times)))

    def near(self, times_s: Sequence[float], within_s: float) -> list[int]:
        """Numbers of the bursts within `within_s` of any of `times_s`."""
        wanted: set[int] = set()
        for time_s in times_s:
            low, high = np.searchsorted(self.times_s, (time_s - within_s, time_s + within_s))
            wanted.update(range(low, high))
        return sorted(wanted)

    def shape(self, number: int, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Burst `number` at `times_s`, in seconds of the whole signal; 0 outside of it."""
        phase = times_s - self.times_s[number]
        inside = (phase >= 0) & (phase < BURST_S)
        window = np.sin(np.pi * phase / BURST_S) ** 2
        # A chirp over three octaves is like itself at one shift only; a tone would be at every period.
        low = self.frequencies_hz[number]
        tone = np.sin(2 * np.pi * low * phase * (1 + 3.5 * phase / BURST_S))
        return np.where(inside, _AMPLITUDE * window * tone, 0.0)

    def signal(self, rate_hz: int, duration_s: float) -> NDArray[np.float64]:
        """All bursts as samples."""
        samples = np.zeros(round(duration_s * rate_hz))
        for number, time_s in enumerate(self.times_s):
            first = int(time_s * rate_hz)
            at = np.arange(first, min(first + round(BURST_S * rate_hz) + 2, len(samples)))
            samples[at] += self.shape(number, at / rate_hz)
        return samples


def sine(rate_hz: int, duration_s: float) -> NDArray[np.float64]:
    """The steady sine as samples."""
    return _AMPLITUDE * np.sin(2 * np.pi * SINE_HZ * np.arange(round(duration_s * rate_hz)) / rate_hz)


def write_wav(path: Path, channels: Sequence[NDArray[np.float64]], rate_hz: int) -> Path:
    """16-bit PCM, a channel per array."""
    frames = np.round(np.stack(channels, axis=1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(frames.tobytes())
    return path


def decode(path: Path, channels: int) -> Samples:
    """All samples of the first audio stream as decoded, shape (samples, channels); nothing is resampled or padded."""
    argv = [str(toolchain().ffmpeg.path), "-v", "error", "-i", str(path), "-map", "0:a:0"]
    raw = subprocess.run([*argv, "-f", "f32le", "-"], check=True, stdout=subprocess.PIPE).stdout
    return np.frombuffer(raw, dtype="<f4").reshape(-1, channels)


def onset_error_s(bursts: Bursts, number: int, heard: Samples, rate_hz: int) -> tuple[float, float]:
    """How late burst `number` is in `heard` (s; negative: early), and its correlation with the truth there (0 to 1)."""
    reach = round(0.03 * rate_hz)
    first = int(bursts.times_s[number] * rate_hz)
    truth = bursts.shape(number, np.arange(first, first + round(BURST_S * rate_hz) + 2) / rate_hz)
    stretch = heard[max(0, first - reach) : first + len(truth) + reach]
    found = np.correlate(stretch, truth, "valid")
    best = int(np.argmax(found))
    piece = stretch[best : best + len(truth)]
    likeness = float(found[best] / (np.linalg.norm(piece) * np.linalg.norm(truth) + 1e-12))
    fraction = 0.0
    if 0 < best < len(found) - 1:  # the top of the parabola through three neighbours
        before, top, after = found[best - 1 : best + 2]
        fraction = 0.5 * (before - after) / (before - 2 * top + after)
    return (best + fraction - min(first, reach)) / rate_hz, likeness


def sine_error(heard: Samples, rate_hz: int) -> tuple[float, float]:
    """Of a stretch of the sine: its phase in seconds (modulo a period) and what is beside the fitted sine, relative."""
    angle = 2 * np.pi * SINE_HZ * np.arange(len(heard)) / rate_hz
    basis = np.stack((np.sin(angle), np.cos(angle)), axis=1)
    (in_phase, quadrature), *_ = np.linalg.lstsq(basis, heard, rcond=None)
    amplitude = float(np.hypot(in_phase, quadrature))
    rest = heard - basis @ np.array([in_phase, quadrature])
    phase_s = float(np.arctan2(quadrature, in_phase)) / (2 * np.pi * SINE_HZ)
    return phase_s, float(np.max(np.abs(rest))) / max(amplitude, 1e-9)


def joint_step_s(heard: Samples, at: int, rate_hz: int) -> float:
    """How far the sine's phase jumps at sample `at`: seconds between the sine before and the sine after."""
    reach, guard = round(0.1 * rate_hz), 1536  # AAC's overlap on both sides
    before, _ = sine_error(heard[at - guard - reach : at - guard], rate_hz)
    after, _ = sine_error(heard[at + guard : at + guard + reach], rate_hz)
    gone = (reach + 2 * guard) / rate_hz
    period = 1 / SINE_HZ
    step = (after - before - gone) % period
    return min(step, period - step)
