#!/bin/sh
# npm.sh VENV ARGUMENT...: runs npm in frontend/, with the machine's Node where it is new enough, else with the
# Node of the pinned wheel, which is installed into VENV when first needed.
set -eu
venv=$(cd "$1" && pwd)
shift

# esbuild 0.28 asks for Node 18; npm 9 is the one that comes with it.
new_enough() {
    command -v npm >/dev/null 2>&1 && node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 18 ? 1 : 0)' 2>/dev/null
}

if ! new_enough; then
    PATH="$venv/bin:$PATH"
    export PATH
    if ! new_enough; then
        echo "No Node 18 or newer on this machine: installing the pinned one into the virtual environment"
        "$(dirname "$0")/install-packages.sh" "$venv" requirements/node.txt
    fi
fi

cd "$(dirname "$0")/../frontend"
exec npm "$@"
