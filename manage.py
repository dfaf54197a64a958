"""Django's command line, by its usual name: the same as `rushes manage`."""

import sys

from rushes.cli.manage import run_command_line

if __name__ == "__main__":
    run_command_line(sys.argv)
