"""What a checkpoint of a full-size tile costs: bytes and seconds to store it, to find it and to restore it.

A tile of 1100 x 700 pixels of 10 m, 128 dimensions in int8 and a float32 scale each, in the blocks of a CPU,
on Azurite: stored whole as after a notice, then as ten minutes' part of an hour, then restored from both parts.
The numbers are noise, as embeddings nearly are: nothing is compressed.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from consumer.checkpoints.blocks import Blocks
from consumer.checkpoints.shelf import Shelf
from consumer.recipes.tessera.batch_size import CPU_BLOCK_PIXELS
from consumer.recipes.tessera.block_buffers import buffers_of
from contract import artifact_names
from contract.azure_clients import EMULATOR_ACCOUNT_KEY, AzureClients, StorageEndpoints
from contract.blob_stores.azure import AzureBlobStore
from contract.fleet import laptop_folder
from contract.tile_id import parse_tile
from contract.tile_message import TileMessage
from laptop_cloud import azurite

HEIGHT, WIDTH, DIMENSIONS = 1100, 700, 128
MESSAGE = TileMessage("job-00000000", "tessera-v2-2024-00000000", parse_tile("grid_-4.55_54.15"))
INPUTS = [["sentinel-2-l2a", f"S2A_MSIL2A_20240601T112121_R037_T30UVF_{n:08d}"] for n in range(1500)]
PARTS_OF_AN_HOUR = 6
REPEATS = 5


def finished_tile() -> Blocks:
    """Every block of the tile, as its inference hands it over."""
    random = np.random.default_rng(1)
    quantised = random.integers(-127, 128, (HEIGHT, WIDTH, DIMENSIONS), dtype=np.int8)
    scales = random.random((HEIGHT, WIDTH), dtype=np.float32)
    rows = CPU_BLOCK_PIXELS // WIDTH
    starts = range(0, HEIGHT, rows)
    blocks = Blocks({"cube": "0" * 64}, len(starts))
    for start in starts:
        blocks.finish(*buffers_of(slice(start, min(start + rows, HEIGHT)), quantised, scales))
    return blocks


def save(shelf: Shelf, blocks: Blocks, first: int, after: str) -> tuple[str, int]:
    new = blocks.since(first)
    message = MESSAGE
    name = artifact_names.checkpoint(message.dataset, message.tile, 1, "a" * 12, first + len(new))
    length = shelf.write(
        name,
        new,
        first=first,
        total=blocks.total,
        after=after,
        fingerprint=blocks.fingerprint,
        inputs=INPUTS,
    )
    return name, length


def restore(shelf: Shelf, blocks: Blocks) -> int:
    found = next(shelf.finder(MESSAGE).matching(blocks.fingerprint))
    again = Blocks(blocks.fingerprint, blocks.total)
    again.restore(shelf.blocks_of(found))
    return again.restored


def seconds_of(step: Callable[[], object]) -> str:
    """Median and worst of some runs, the first one left out."""
    taken = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        step()
        taken.append(time.perf_counter() - began)
    ordered = sorted(taken[1:])
    return f"{ordered[REPEATS // 2]:.2f} s (worst of {REPEATS}: {ordered[-1]:.2f} s)"


def measure(shelf: Shelf) -> None:
    blocks = finished_tile()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, whole = save(shelf, blocks, 0, "")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"the whole tile, {blocks.total} blocks: {whole / 1e6:.1f} MB")
    print(
        f"  stored in {seconds_of(lambda: save(shelf, blocks, 0, ''))}, {grown:.0f} MiB of memory beside it"
    )
    print(f"  found and restored in {seconds_of(lambda: restore(shelf, blocks))}")
    shelf.clear(MESSAGE)
    first = blocks.total - blocks.total // PARTS_OF_AN_HOUR
    earlier = Blocks(blocks.fingerprint, blocks.total)
    for block in blocks.since(0)[:first]:
        earlier.finish(*(memoryview(buffer) for buffer in block))
    name, _ = save(shelf, earlier, 0, "")
    _, part = save(shelf, blocks, first, name)
    print(f"ten minutes of an hour, {blocks.total - first} blocks: {part / 1e6:.1f} MB")
    print(f"  stored in {seconds_of(lambda: save(shelf, blocks, first, name))}")
    print(f"  found and restored with all before it in {seconds_of(lambda: restore(shelf, blocks))}")


def main() -> None:
    home = laptop_folder(os.environ, Path.cwd()).absolute()
    with (
        tempfile.TemporaryDirectory() as folder,
        azurite.running(azurite.install(home), Path(folder) / "storage") as endpoints,
    ):
        where = StorageEndpoints(endpoints.queue_url, endpoints.blob_url, "checkpoints", EMULATOR_ACCOUNT_KEY)
        store = AzureBlobStore(AzureClients(where))
        store.ensure()
        measure(Shelf(store, Path(folder) / "scratch"))


if __name__ == "__main__":
    main()
