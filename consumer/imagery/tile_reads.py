"""All reads of one tile: many at once, with what was lost and how much was read noted on the way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from consumer.imagery.layer import Layer
from consumer.imagery.losses import FileLost, Loss
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.read import SceneReader, cores
from consumer.imagery.search import Scene
from consumer.imagery.tally import Tally

Result = TypeVar("Result")


class TileReads:
    """Reads bands of scenes onto one grid, in threads of its own that mostly wait."""

    def __init__(self, reader: SceneReader, grid: PixelGrid, threads: int) -> None:
        """`threads`: files under way at a time, which also bounds the memory that they take."""
        self._reader = reader
        self._grid = grid
        self._threads = threads
        self._lock = threading.Lock()
        self.computing = threading.BoundedSemaphore(cores())
        """Held while working on pixels that arrived: what dozens of threads compute at once would fill memory."""
        self.tally = Tally()
        self.losses: list[Loss] = []

    def band(self, scene: Scene, band: str, layer: Layer) -> NDArray[np.generic] | None:
        """(height, width); None, and noted, when this file is lost. TryLater and Stopped as the reader's."""
        try:
            return self._reader.read(scene, band, self._grid, layer, self.tally)
        except FileLost as error:
            with self._lock:
                self.losses.append(Loss(scene.id, error.cause, f"{band}: {error}"))
            return None

    def run(self, tasks: Iterable[Callable[[], Result]], done: Callable[[], Any]) -> list[Result]:
        """The tasks' results in their order; `done` is called in this thread as each one ends.

        The first error, of a task or of `done`, ends the others at their next pause and is raised.
        """
        with ThreadPoolExecutor(self._threads, thread_name_prefix="read") as pool:
            futures = [pool.submit(task) for task in tasks]
            try:
                for future in as_completed(futures):
                    future.result()
                    done()
            except BaseException:
                self.tally.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return [future.result() for future in futures]
