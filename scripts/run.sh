#!/bin/sh
# run.sh VENV: `rushes play` on FILE, or on a clip that is made once and kept in RUSHES_VAR.
set -eu
venv=$1

if [ -z "${FILE:-}" ]; then
    FILE=$RUSHES_VAR/demo/demo.mp4
    [ -e "$FILE" ] || "$venv/bin/python" scripts/make_demo_clip.py "$FILE"
fi
# exec: Ctrl-C reaches the server itself, and its exit status is ours.
exec "$venv/bin/rushes" play "$FILE" --host "$HOST" --port "$PORT"
