"""Reads scenes' files over HTTP ranges and tells three kinds of failure apart.

A file is lost (its storage says 404, or it is whole and yet undecodable), or its storage refuses
or throttles us, which passes. GDAL's messages do not tell: a failed block reads the same whether
the cause was a 404, a 429 or a cut line. So after a failed read the storage is asked directly.
"""

from __future__ import annotations

import random
import tempfile
import threading
from collections import Counter
from contextlib import closing
from enum import Enum, auto
from pathlib import Path

import numpy as np
import requests
from numpy.typing import NDArray

from consumer.imagery.losses import FileLost
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.sign import Signer, without_token
from consumer.imagery.warp import READ_ERRORS, Layer, read_on_grid
from contract.errors import Stopped, TryLater

ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5
TIMEOUT_SECONDS = (5.0, 20.0)
"""(to connect, between two bytes) when the storage is asked directly."""
MAX_FILE_BYTES = 1 << 30
"""A band of a scene has at most a few hundred MB."""


class Verdict(Enum):
    """What a storage's answer to a plain GET means for the file."""

    READABLE = auto()
    MISSING = auto()
    REFUSED = auto()
    """The token ended, or was never good."""
    BUSY = auto()
    """Throttled, failing, slow or out of reach."""


def judge(status: int | None) -> Verdict:
    """The meaning of an HTTP status; None stands for no answer at all."""
    if status is not None and 200 <= status < 300:
        return Verdict.READABLE
    if status in (404, 410):
        return Verdict.MISSING
    if status in (401, 403):
        return Verdict.REFUSED
    return Verdict.BUSY


def pause_seconds(attempt: int, share: float) -> float:
    """How long to wait after attempt 0, 1, 2 ...: doubling, and anywhere in the upper half of it."""
    return FIRST_PAUSE_SECONDS * float(2**attempt) * (0.5 + 0.5 * share)


class SceneReader:
    """Reads files of scenes onto pixel grids; safe to share between threads."""

    def __init__(self, signer: Signer, scratch: Path) -> None:
        self._signer = signer
        self._scratch = scratch
        self._failures: Counter[str] = Counter()

    def read(self, href: str, grid: PixelGrid, layer: Layer, stop: threading.Event) -> NDArray[np.generic]:
        """The file's pixels on the grid, (height, width).

        FileLost when the file is gone or broken; TryLater when its storage refused or throttled us
        to the end; Stopped when `stop` is set while waiting for the next try.
        """
        if not href.startswith(("http://", "https://")):
            raise FileLost("unreadable", f"{without_token(href)[:200]} is not an http address")
        reason = ""
        for attempt in range(ATTEMPTS):
            try:
                return read_on_grid(self._gdal_path(href), grid, layer)
            except READ_ERRORS as error:
                reason = str(error.__cause__ or error)
            self._failures[href] += 1
            verdict, answer = self._ask(href)
            if verdict is Verdict.READABLE and attempt == ATTEMPTS - 1:
                return self._read_whole(href, grid, layer)
            if stop.wait(pause_seconds(attempt, random.random())):
                raise Stopped(f"stopped reading {without_token(href)} after {attempt + 1} tries")
        raise TryLater(
            f"{without_token(href)} could not be read in {ATTEMPTS} tries: {answer}; GDAL: {reason}"
        )

    def _gdal_path(self, href: str) -> str:
        """GDAL remembers a failed address for the life of the process: a new fragment makes it look again."""
        failures = self._failures[href]
        return f"/vsicurl/{self._signer.sign(href)}" + (f"#{failures}" if failures else "")

    def _ask(self, href: str) -> tuple[Verdict, str]:
        """What a plain GET, ended after its header, says. FileLost if the file is not there."""
        try:
            with closing(
                requests.get(self._signer.sign(href), stream=True, timeout=TIMEOUT_SECONDS)
            ) as response:
                status, answer = response.status_code, f"HTTP {response.status_code} {response.reason}"
        except requests.RequestException as error:
            status, answer = None, f"no answer ({type(error).__name__})"
        verdict = judge(status)
        if verdict is Verdict.MISSING:
            raise FileLost("missing", f"{without_token(href)}: {answer}")
        if verdict is Verdict.REFUSED:
            self._signer.renew(href)
        return verdict, answer

    def _read_whole(self, href: str, grid: PixelGrid, layer: Layer) -> NDArray[np.generic]:
        """The last resort, and the proof: a file that arrives whole and cannot be decoded is broken."""
        self._scratch.mkdir(parents=True, exist_ok=True)  # an eviction wipes the disk it lies on
        with tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".tif") as copy:
            try:
                self._download(href, Path(copy.name))
            except (requests.RequestException, EOFError) as error:
                raise TryLater(f"{without_token(href)} broke off again and again: {error}") from error
            try:
                return read_on_grid(copy.name, grid, layer)
            except READ_ERRORS as error:
                detail = f"{without_token(href)}: {error.__cause__ or error}".replace(copy.name, "the file")
                raise FileLost("unreadable", detail) from error

    def _download(self, href: str, path: Path) -> None:
        with closing(requests.get(self._signer.sign(href), stream=True, timeout=TIMEOUT_SECONDS)) as response:
            response.raise_for_status()
            expected = int(response.headers.get("Content-Length", -1))
            received = 0
            with path.open("wb") as file:
                for chunk in response.iter_content(1 << 20):
                    received += file.write(chunk)
                    if received > MAX_FILE_BYTES:
                        raise FileLost(
                            "unreadable", f"{without_token(href)} is longer than {MAX_FILE_BYTES} bytes"
                        )
        if received < expected:
            raise EOFError(f"expected {expected} bytes, got {received}")
