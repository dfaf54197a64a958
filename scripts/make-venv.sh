#!/bin/sh
# make-venv.sh VENV: an empty virtual environment in VENV, made anew where an old one no longer runs.
set -eu
venv=$1

"$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exit 0

python=$("$(dirname "$0")/find-python.sh")
echo "Making $venv with $python"
rm -rf "$venv"
log=$("$python" -m venv "$venv" 2>&1) || {
    rm -rf "$venv"
    echo "rushes: $python could not make $venv: $(echo "$log" | tail -n 1)" >&2
    exit 1
}
