#!/bin/sh
# run.sh VENV: the product; with FILE=..., `rushes play` on that file alone.
set -eu
venv=$1

# exec: Ctrl-C reaches the program itself, and its exit status is ours.
if [ -n "${FILE:-}" ]; then
    exec "$venv/bin/rushes" play "$FILE" --host "$HOST" --port "$PORT"
fi
# --parent-pid: make passes SIGTERM on and then waits; killed, it can't, and nobody else would end what it started.
exec "$venv/bin/rushes" up --host "$HOST" --port "$PORT" --parent-pid "$PPID"
