"""Onset error and phase step at every joint of 600 s of sound, by codec and container, chunks in shuffled order."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the measure is the tests' own

from measuring import report

from tests.proof.onsets import Bursts, joint_step_s, onset_error_s
from tests.proof.soundtracks import hear
from tests.proof.test_audio import CASES, source_of

DURATION_S = 600.0
BOUND_MS = 1.0


def main() -> None:
    """Print the worst onset error within 0.4 s of any joint, and the worst phase step, of each source."""
    bursts = Bursts.seeded(11, DURATION_S)
    for case in CASES:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (heard,) = hear(source_of(case, bursts, folder, DURATION_S), folder)
            rate = heard.track.sample_rate_hz
            joints_s = [joint / rate for joint in heard.joints]
            numbers = [n for n in bursts.near(joints_s, 0.4) if bursts.times_s[n] < DURATION_S - 0.1]
            errors = [onset_error_s(bursts, n, heard.samples[:, 0], rate) for n in numbers]
            if (
                min(likeness for _, likeness in errors) < 0.9
                or len(heard.samples) != heard.track.timeline.bounds[-1]
            ):
                raise SystemExit(f"{case}: sound is missing")
            worst_ms = max(abs(error_s) for error_s, _ in errors) * 1000
            report(f"onset error at {len(joints_s)} joints, {case}", worst_ms, BOUND_MS, " ms")
            if case.channels > 1:
                # A sine needs some length on both sides; the last chunk of a raw MP3 may have a frame or two.
                joints = [joint for joint in heard.chunk_joints if joint + 0.2 * rate < len(heard.samples)]
                steps = [joint_step_s(heard.samples[:, 1], joint, rate) * 1e6 for joint in joints]
                report(f"phase step at {len(steps)} chunk joints, {case}", max(steps), unit=" us")


if __name__ == "__main__":
    main()
