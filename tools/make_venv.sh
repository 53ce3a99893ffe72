#!/usr/bin/env bash
# Make a virtual environment: tools/make_venv.sh FOLDER [PYTHON]
# Without PYTHON, the first of the usual names that is 3.11 or later.
set -euo pipefail

folder=$1
candidates=(python3 python3.13 python3.12 python3.11)
if [ $# -gt 1 ]; then
    candidates=("$2")
fi

python=
for candidate in "${candidates[@]}"; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "no Python 3.11 or later found as ${candidates[*]}: install one, or name it: make setup PYTHON=/path/to/python3" >&2
    exit 2
fi
# Debian and Ubuntu leave pip's bundle out of their python3; the module venv alone is there and then fails.
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$python cannot make virtual environments: sudo apt-get install python$version-venv, then try again" >&2
    exit 2
fi
echo "Making $folder with $("$python" --version)"
"$python" -m venv "$folder"
