#!/bin/sh
# install-packages.sh VENV FILE...: installs the pinned packages of requirements files into VENV.
set -eu
venv=$1
shift

for file in "$@"; do
    echo "Installing the packages of $file"
    # Twice quiet: errors only. --require-hashes: exactly the files that were locked. --only-binary: nothing is built here, so no compiler
    # is needed; and the source archive of imageio-ffmpeg has no ffmpeg in it.
    "$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --no-input \
        --require-hashes --only-binary=:all: -r "$file"
done
