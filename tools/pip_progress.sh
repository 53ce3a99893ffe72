#!/usr/bin/env bash
# Turn pip's long report on standard input into one line that moves, on a terminal, and into silence elsewhere.
set -euo pipefail

if [ -t 1 ]; then
    exec awk '
        /^Collecting /     { printf "\r  %d  %s\033[K", ++packages, $2; fflush() }
        /^Installing coll/ { printf "\r  %d packages downloaded, unpacking\033[K", packages; fflush() }
        END                { if (packages) printf "\r\033[K" }'
fi
exec cat >/dev/null
