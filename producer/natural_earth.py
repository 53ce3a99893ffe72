"""Natural Earth's own boundaries, downloaded once and kept."""

from __future__ import annotations

import os
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path

from contract.errors import BadInput

URL = "https://naturalearth.s3.amazonaws.com/10m_cultural/ne_10m_admin_0_map_units.zip"
"""Map units at 1:10m, newest version; public domain. Countries are put together from them."""

MAX_BYTES = 64 * 2**20
"""The file has about 6 MB."""

TIMEOUT_SECONDS = 30.0
"""Of each wait for bytes, not of the whole download."""

SHAPEFILE_SUFFIXES = {".shp", ".dbf", ".prj", ".shx"}


def download(cache_folder: Path, url: str = URL) -> Path:
    """The zipped shapefile, from the cache or else from `url`; BadInput when neither has it.

    Appears in the cache whole or not at all, so an interrupted download is simply done again.
    """
    kept = cache_folder / Path(url).name
    if kept.exists():
        return kept
    cache_folder.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    try:
        part.write_bytes(_fetch(url))
        _check(part, url)
        part.replace(kept)
    finally:
        part.unlink(missing_ok=True)
    return kept


def _fetch(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (https above)
            content: bytes = answer.read(MAX_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise BadInput(
            f"Natural Earth's boundaries could not be downloaded from {url} ({error}): go online for this "
            "once, give --boundaries FILE, or leave it out and use the shipped boundaries"
        ) from error
    if len(content) > MAX_BYTES:
        raise BadInput(f"{url} sent more than {MAX_BYTES} bytes: that is not Natural Earth's file")
    return content


def _check(path: Path, url: str) -> None:
    """A proxy's login page, or half a file, must not stay in the cache."""
    try:
        with zipfile.ZipFile(path) as archive:
            suffixes = {Path(name).suffix.lower() for name in archive.namelist()}
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        raise BadInput(f"{url} did not send a zip file: is a proxy or a login page in the way?") from error
    if damaged or not suffixes >= SHAPEFILE_SUFFIXES:
        raise BadInput(f"{url} did not send a whole shapefile: it has {', '.join(sorted(suffixes))}")
