#!/bin/sh
# lock.sh VENV: pins requirements/*.in and the front end again. Hashes must be those of the public registry, so the
# machine's own pip configuration (local folders of wheels) is left out of it.
set -eu
venv=$1

tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
"$venv/bin/python" -m pip install --quiet --quiet --disable-pip-version-check --target "$tool" uv

for name in base build node celery rq q2 captions dev; do # in this order: later ones are held to earlier ones
    env -u PIP_FIND_LINKS -u UV_FIND_LINKS PYTHONPATH="$tool" "$venv/bin/python" -m uv --no-config pip compile \
        --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --output-file "requirements/$name.txt" "requirements/$name.in"
    echo "requirements/$name.txt"
done
scripts/npm.sh "$venv" update --package-lock-only
