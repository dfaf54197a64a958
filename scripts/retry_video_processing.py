#!/usr/bin/env python
"""Brings stuck or failed videos back, all or those that are named; the same as `manage.py retry_videos`.

.venv/bin/python scripts/retry_video_processing.py [VIDEO ...] [--dry-run] [--json]
"""

import sys

try:
    from rushes.cli.manage import run_command_line
except ImportError:
    sys.exit("Rushes is not installed for this Python; use .venv/bin/python (make venv makes it).")

if __name__ == "__main__":
    run_command_line(["scripts/retry_video_processing.py", "retry_videos", *sys.argv[1:]])
