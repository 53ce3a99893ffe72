"""A campaign in a simulated container, built the way producer and consumer leave it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import rasterio
import rasterio.warp
from numpy.typing import NDArray
from PIL import Image
from rasterio.transform import Affine

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.blob_stores.simulated import SimulatedBlobStore, SimulatedContainer
from contract.commit import create_commit, publish
from contract.commit_record import CommitRecord, CommittedArtifact
from contract.dataset import Dataset
from contract.job import Job, JobState, JobStatus, asked_digest, encode_asked
from contract.outcomes import Outcome
from contract.tile_id import GridCell

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class Campaign:
    """One job of one dataset; its clock moves only when told."""

    cells: Sequence[GridCell]
    is_trained: bool = True
    now: datetime = START
    store: BlobStore = None
    """Default: a simulated one under the campaign's own clock."""
    job: Job = field(init=False)

    def __post_init__(self) -> None:
        self.store = self.store or SimulatedBlobStore(SimulatedContainer(self._seconds))
        dataset = Dataset("tessera", "1", "2024", {"model": "v2-nano"}, None, self.is_trained, "b" * 64)
        asked = encode_asked(self.cells)
        self.job = Job(
            name="island-2024",
            dataset=dataset.name,
            asked_count=len(self.cells),
            asked_sha256=asked_digest(asked),
            asked_text="Island",
            is_urgent=False,
            canary_count=0,
            recipe="tessera",
            settings={"resolution": 10},
            campaign="island-2024",
            created=START.isoformat(),
        )
        self.store.put(artifact_names.dataset_record(dataset.name), dataset.encode())
        self.store.put(artifact_names.job_asked(self.job.id), asked)
        self.store.put(artifact_names.job_record(self.job.id), self.job.encode())
        status = JobStatus(JobState.RUNNING, "", START.isoformat())
        self.store.put(artifact_names.job_state(self.job.id), status.encode())

    def _seconds(self) -> float:
        return self.now.timestamp()

    def commit(
        self,
        cell: GridCell,
        files: dict[str, bytes] | None = None,
        *,
        after_seconds: float = 60,
        worker: str = "w1",
        outcome: Outcome = Outcome.DONE,
        seconds: dict[str, float] | None = None,
        generation: int = 1,
        is_published: bool = True,
        **done: Any,
    ) -> CommitRecord:
        """Commit and publish a tile with these artifacts (by name), `after_seconds` after the last event."""
        self.now += timedelta(seconds=after_seconds)
        attempt = f"a{generation}"
        staging = artifact_names.staging_prefix(self.job.dataset, cell, generation, attempt)
        artifacts = []
        for name, data in (files or {}).items():
            self.store.put(staging + name, data)
            md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
            sha256 = hashlib.sha256(data).hexdigest()
            artifacts.append(CommittedArtifact(name, staging + name, len(data), sha256, md5))
        facts: dict[str, Any] = {
            "job": self.job.id,
            "tile": cell.name,
            "worker": worker,
            "outcome": outcome.value,
            "seconds": seconds if seconds is not None else {"download": 2.0, "infer": 50.0},
            "downloaded_bytes": 1000,
            "uploaded_bytes": 100,
            "infer_ended": None if outcome is Outcome.EMPTY else self.now.isoformat(),
        }
        record = CommitRecord(
            self.job.dataset, cell, generation, attempt, outcome, tuple(artifacts), {}, facts | done
        )
        create_commit(self.store, record)
        if is_published:
            publish(self.store, record)
        return record


def tile_files(
    cell: GridCell,
    picture_of: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.uint8]],
    *,
    metres: float = 100,
) -> dict[str, bytes]:
    """A tile's preview and land mask: `picture_of(longitudes, latitudes)` gives the RGBA of each pixel."""
    west, south, east, north = cell.bounds
    longitude, latitude = cell.centre
    epsg = (32600 if latitude >= 0 else 32700) + int((longitude + 180) // 6) + 1
    left, bottom, right, top = rasterio.warp.transform_bounds(
        "EPSG:4326", f"EPSG:{epsg}", west, south, east, north, densify_pts=21
    )
    left, top = np.floor(left / metres) * metres, np.ceil(top / metres) * metres
    width, height = int(np.ceil((right - left) / metres)), int(np.ceil((top - bottom) / metres))
    transform = Affine(metres, 0, left, 0, -metres, top)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    xs, ys = left + columns.ravel() * metres, top - rows.ravel() * metres
    longitudes, latitudes = rasterio.warp.transform(f"EPSG:{epsg}", "EPSG:4326", xs, ys)
    rgba = picture_of(np.array(longitudes), np.array(latitudes)).reshape(height, width, 4)
    png = io.BytesIO()
    Image.fromarray(rgba).save(png, "PNG")
    with rasterio.MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=width,
            height=height,
            count=1,
            dtype="uint8",
            crs=f"EPSG:{epsg}",
            transform=transform,
        ) as file:
            file.write(rgba[:, :, 3] // 255, 1)
        tiff = bytes(memory.getbuffer())
    return {
        f"previews/2024/{cell.name}.png": png.getvalue(),
        f"global_0.1_degree_tiff_all/{cell.name}.tiff": tiff,
    }
