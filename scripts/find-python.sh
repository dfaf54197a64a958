#!/bin/sh
# Prints the path of a Python that can make the virtual environment: 3.11 or newer, with venv and ensurepip.
# PYTHON=... names one; else python3 and then the versioned names are tried, because on some machines
# python3 is old and a newer one lies beside it. On failure: one line on stderr, exit 1.
set -eu

fail() {
    echo "rushes: $1" >&2
    exit 1
}

# One line: "ok PATH", "old VERSION" or "bare VERSION" (no venv, or no ensurepip, which Debian packs apart).
examine='
import sys
version = ".".join(map(str, sys.version_info[:3]))
if sys.version_info < (3, 11):
    print("old", version)
    sys.exit()
try:
    import ensurepip, venv
except ImportError:
    print("bare", version)
else:
    # Not the one of a virtual environment that happens to be active: it may be the one to be made anew.
    print("ok", sys._base_executable)
'

if [ -n "${PYTHON:-}" ]; then
    set -- "$PYTHON"
else
    set -- python3 python3.14 python3.13 python3.12 python3.11
fi
first_problem=""
for candidate in "$@"; do
    # A name on PATH may still not run: a pyenv shim of a version that is not selected.
    found=$("$candidate" -c "$examine" 2>/dev/null) || continue
    case $found in
    "ok "*)
        echo "${found#ok }"
        exit 0
        ;;
    "old "*) problem="$candidate is Python ${found#old }; Rushes needs 3.11 or newer (PYTHON=... names another)" ;;
    *) problem="$candidate (Python ${found#bare }) lacks the venv module; on Debian: apt-get install python3-venv" ;;
    esac
    first_problem=${first_problem:-$problem}
done
fail "${first_problem:-no working $1 found; Rushes needs Python 3.11 or newer (Debian: apt-get install python3 python3-venv)}"
