#!/usr/bin/env bash
# Install a lock file into an environment: tools/pip_install_locked.sh ENVIRONMENT LOCK_FILE
# pip says a thousand lines. Here it is one that moves on a terminal; all of them are kept in a log.
set -euo pipefail

environment=$1
lock_file=$2
log="$environment/pip-$(basename "$lock_file" .txt).log"

show_progress() {
    if [ -t 1 ]; then
        awk '
            /^Collecting /           { printf "\r  %d  %s\033[K", ++packages, $2; fflush() }
            /^Installing collected / { printf "\r  %d packages found, unpacking\033[K", packages; fflush() }
            END                      { printf "\r\033[K" }'
    else
        cat >/dev/null
    fi
}

if ! "$environment/bin/pip" install --require-hashes --no-deps --requirement "$lock_file" 2>&1 |
    tee "$log" | show_progress; then
    grep '^ERROR' "$log" >&2 || tail -n 20 "$log" >&2
    echo "pip could not install $lock_file; all that it said is in $log" >&2
    exit 1
fi
