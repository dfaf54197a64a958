"""A child for the supervisor's tests: writes its pid; then it waits, is deaf to SIGTERM, or ends at once, as told."""

import os
import signal
import sys
import time
from pathlib import Path

from rushes.ops.leash import end_with

folder, mode, _, leash = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
if mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with(leash)
(folder / str(os.getpid())).touch()
if mode == "brief":
    sys.exit(0)
time.sleep(600)
