#!/usr/bin/env python
"""Sends a test video through the real queue and reports each stage; --help lists the options.

.venv/bin/python scripts/test_video_processing.py
"""

import sys

try:
    from rushes.cli.trial import trial
except ImportError:
    sys.exit("Rushes is not installed for this Python; use .venv/bin/python (make venv makes it).")

if __name__ == "__main__":
    trial(prog_name="scripts/test_video_processing.py")
