"""The weights that a dataset pins: read from a file, the web or the container, known by SHA-256, kept once.

Nothing here opens the file as a model: the producer runs without torch. Workers check the digest and
load with `weights_only=True`.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput, NotFound
from contract.fleet import LOOPBACK_HOSTS

BLOB_SCHEME: Final = "blob:"
CHUNK_BYTES: Final = 1024 * 1024
MAX_REDIRECTS: Final = 5
CONNECT_SECONDS: Final = 15.0
SILENCE_SECONDS: Final = 30.0
"""A server that sends nothing for so long is given up."""
_KEPT = re.compile(r"weights/([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class PinnedWeights:
    """A weights file whose bytes are known."""

    sha256: str
    """Hex."""
    path: Path | None
    """Where it lies here; None: the container has it under its digest."""


def fetch_weights(text: str, store: BlobStore, folder: Path, *, limit_bytes: int) -> PinnedWeights:
    """What `--set weights=TEXT` means: a file, an https address, or `blob:NAME`; BadInput otherwise.

    Reads only: what must be downloaded to be known goes into `folder`, `keep_weights` uploads it.
    """
    if text.startswith(BLOB_SCHEME):
        return _from_container(text.removeprefix(BLOB_SCHEME), store, folder, limit_bytes)
    if "://" in text:
        path = folder / "weights"
        return PinnedWeights(asyncio.run(_download(text, path, limit_bytes)), path)
    path = Path(text).expanduser()
    if not path.is_file():
        raise BadInput(
            f"there is no weights file {text[:200]!r}; give a file, an https address, "
            "or blob:NAME of the container"
        )
    return PinnedWeights(_digest_of(path, limit_bytes), path)


def keep_weights(pinned: PinnedWeights, store: BlobStore) -> bool:
    """Upload the file under its digest; False when the container had it already."""
    if pinned.path is None:
        return False
    name = artifact_names.weights(pinned.sha256)
    try:
        if store.info(name).length == pinned.path.stat().st_size:
            return False
    except NotFound:
        pass
    store.upload(name, pinned.path)
    return True


def _from_container(name: str, store: BlobStore, folder: Path, limit_bytes: int) -> PinnedWeights:
    try:
        length = store.info(name).length
        _check_length(length, f"blob {name}", limit_bytes)
        if match := _KEPT.fullmatch(name):
            return PinnedWeights(match.group(1), None)
        path = folder / "weights"
        store.download(name, path)
    except NotFound as error:
        raise BadInput(f"the container has no blob {name[:200]!r} to take weights from") from error
    return PinnedWeights(_digest_of(path, limit_bytes), path)


def _digest_of(path: Path, limit_bytes: int) -> str:
    _check_length(path.stat().st_size, str(path), limit_bytes)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


async def _download(url: str, path: Path, limit_bytes: int) -> str:
    """Into `path`, and its SHA-256. Redirects are followed only to addresses that we would start from."""
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            for _ in range(MAX_REDIRECTS + 1):
                _check_address(url)
                async with session.get(url, allow_redirects=False) as answer:
                    if answer.status in {301, 302, 303, 307, 308} and "Location" in answer.headers:
                        url = urljoin(url, answer.headers["Location"])
                        continue
                    if answer.status != 200:
                        raise BadInput(
                            f"{_shown(url)} answered {answer.status}: check the address of the weights"
                        )
                    _check_length(answer.content_length, _shown(url), limit_bytes)
                    return await _store(
                        answer.content.iter_chunked(CHUNK_BYTES), path, _shown(url), limit_bytes
                    )
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BadInput(
            f"the weights at {_shown(url)} could not be read ({type(error).__name__}): "
            "try again, or download them yourself and give the file"
        ) from error
    raise BadInput(f"the weights' address redirects more than {MAX_REDIRECTS} times, lastly to {_shown(url)}")


async def _store(chunks: AsyncIterator[bytes], path: Path, what: str, limit_bytes: int) -> str:
    digest = hashlib.sha256()
    length = 0
    with path.open("wb") as stream:
        async for chunk in chunks:
            length += len(chunk)
            if length > limit_bytes:
                _check_length(length, what, limit_bytes)
            digest.update(chunk)
            stream.write(chunk)
    _check_length(length, what, limit_bytes)
    return digest.hexdigest()


def _check_length(length: int | None, what: str, limit_bytes: int) -> None:
    if length == 0:
        raise BadInput(f"{what} is empty: it holds no weights")
    if length is not None and length > limit_bytes:
        raise BadInput(
            f"{what} has {length} bytes or more, weights may have {limit_bytes} "
            "(TILEFLEET_PRODUCER_WEIGHTS_LIMIT_BYTES)"
        )


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    is_here = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not is_here and not (parts.scheme == "https" and parts.hostname):
        raise BadInput(f"weights are read over https only, not from {_shown(url)}")


def _shown(url: str) -> str:
    """An address without its query, which may hold a signature."""
    return url.partition("?")[0][:200]
