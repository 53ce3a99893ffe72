"""What was measured on one machine of a size in a region, kept for whoever compares or estimates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from contract import artifact_names
from contract.blob_store import BlobStore
from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes
from fleetctl.money.calibrate import Outcome

VERSION = 1
SECONDS_PER_HOUR = 3600.0
LONGEST_TILE_SECONDS = 7 * 24 * SECONDS_PER_HOUR
_NAME = re.compile(r"[A-Za-z0-9_-]{3,60}")


@dataclass(frozen=True, slots=True)
class Calibration:
    """One tile on one machine, twice: with its download, and again from the cube that the first one prepared."""

    size: str
    region: str
    priority: str
    tile: str
    boot_seconds: float
    """From asking for the machine to its first heartbeat."""
    cube_seconds: float
    """From receipt to commit with the cube prepared already: what the hardware takes."""
    download_seconds: float
    """How much longer it was with the download."""
    usd_per_hour: float
    measured: str
    """UTC, ISO 8601."""

    @property
    def usd_per_tile(self) -> float:
        """While downloads go on beside the inference, as they do in a long job."""
        return self.cube_seconds * self.usd_per_hour / SECONDS_PER_HOUR


def made_of(outcome: Outcome, tile: str, measured: str) -> Calibration:
    """What a pair that was measured says; `measured`: when, UTC, ISO 8601."""
    if outcome.measured is None:
        raise AssertionError(f"{outcome.pair.offer} was not measured")
    seconds, offer = outcome.measured, outcome.pair.offer
    return Calibration(
        size=offer.size,
        region=offer.region,
        priority=offer.priority.value,
        tile=tile,
        boot_seconds=seconds.boot_seconds,
        cube_seconds=seconds.cube_seconds,
        download_seconds=max(0.0, seconds.with_download_seconds - seconds.cube_seconds),
        usd_per_hour=outcome.pair.usd_per_hour,
        measured=measured,
    )


def keep_calibration(store: BlobStore, calibration: Calibration) -> None:
    """The newest one of a size and region counts."""
    name = artifact_names.calibration(_checked(calibration.size), _checked(calibration.region))
    store.put(name, to_bytes({"v": VERSION, "usd_per_tile": calibration.usd_per_tile, **asdict(calibration)}))


def read_calibrations(store: BlobStore) -> Mapping[tuple[str, str], Calibration]:
    """All of them by size and region. BadInput names one that is damaged."""
    found = {}
    for name in store.names(artifact_names.CALIBRATION_PREFIX):
        calibration = _decode(store.read(name).data, name)
        found[calibration.size, calibration.region] = calibration
    return found


def _decode(data: bytes, name: str) -> Calibration:
    record = parse_object(data, f"the calibration {name}")
    try:
        if record["v"] != VERSION:
            raise BadInput(f"{name} is of another version: a newer fleetctl wrote it")
        calibration = Calibration(
            size=str(record["size"]),
            region=str(record["region"]),
            priority=str(record["priority"]),
            tile=str(record["tile"]),
            boot_seconds=float(record["boot_seconds"]),
            cube_seconds=float(record["cube_seconds"]),
            download_seconds=float(record["download_seconds"]),
            usd_per_hour=float(record["usd_per_hour"]),
            measured=str(record["measured"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{name} is no calibration ({error}): delete it and calibrate again") from error
    if not 0 < calibration.cube_seconds < LONGEST_TILE_SECONDS:
        raise BadInput(f"{name} says that a tile takes {calibration.cube_seconds:g} s: calibrate again")
    return calibration


def _checked(word: str) -> str:
    if not _NAME.fullmatch(word):
        raise BadInput(f"{word[:60]!r} can name neither a size nor a region")
    return word
