#!/bin/sh
# install-project.sh VENV: installs Rushes itself into VENV, editable, and sees that its ffmpeg and ffprobe run here.
set -eu
venv=$1

# --no-deps, --no-build-isolation: everything it needs was installed from the locks; nothing else is fetched.
"$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-input \
    --no-deps --no-build-isolation --editable .

"$venv/bin/rushes" doctor --quick
