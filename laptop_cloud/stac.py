"""A STAC API over the scenes of a folder: rustac in a process of its own, everything in memory, on loopback.

It answers collections and searches by box, time and ids, but neither `query` nor `filter`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contract.errors import BadInput
from laptop_cloud import processes


@contextlib.contextmanager
def running(root: Path, imagery_url: str, work_folder: Path, *, port: int = 0) -> Iterator[str]:
    """The API over every scene below `root`, whose files `imagery_url` serves; the value is its URL.

    Scenes are read once, at the start. `work_folder` takes the catalogue and the log.
    """
    port = port or processes.free_port()
    command = [
        *(str(Path(sys.executable).with_name("rustac")), "serve"),
        *("--addr", f"{processes.LOOPBACK}:{port}"),
        *map(str, write_catalogue(root, imagery_url, work_folder)),
    ]
    with processes.running(
        command,
        name="the STAC API",
        log_path=work_folder / "stac.log",
        is_ready=lambda: processes.is_listening(port),
    ):
        yield f"http://{processes.LOOPBACK}:{port}"


def write_catalogue(root: Path, imagery_url: str, folder: Path) -> list[Path]:
    """A file per collection and one of all items, with absolute hrefs; BadInput when `root` has no scene."""
    # What draws scenes takes half a second to load, and most laptop clouds of drills and tests have none.
    from laptop_cloud.scenes.items import ITEM_FILE, collection  # noqa: PLC0415

    found = sorted(root.rglob(ITEM_FILE))
    if not found:
        raise BadInput(f"there are no scenes below {root}: make a year of them first")
    items = [_with_absolute_hrefs(path, root, imagery_url) for path in found]
    by_collection: dict[str, list[dict[str, Any]]] = {}
    for item in items:
        by_collection.setdefault(item["collection"], []).append(item)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, members in by_collection.items():
        written.append(folder / f"{name}.json")
        written[-1].write_text(json.dumps(collection(name, members)))
    written.append(folder / "items.json")
    written[-1].write_text(json.dumps({"type": "FeatureCollection", "features": items}))
    return written


def _with_absolute_hrefs(path: Path, root: Path, imagery_url: str) -> dict[str, Any]:
    item: dict[str, Any] = json.loads(path.read_text())
    place = path.parent.relative_to(root).as_posix()
    for asset in item["assets"].values():
        asset["href"] = f"{imagery_url}/{place}/{asset['href']}"
    return item
