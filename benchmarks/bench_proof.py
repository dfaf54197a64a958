"""The long proofs. Status 1 where one fails; BENCH_PROOF_S shortens them (600 s)."""

import sys
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parent.parent)
)  # the proofs share their sources with the tests

import proof_video

if __name__ == "__main__":
    sys.exit(1 if proof_video.main() else 0)
