"""Where a tile's files lie below the dataset's root: the layout that the geotessera client reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from contract.tile_id import GridCell

EMBEDDINGS = "global_0.1_degree_representation"
LAND_MASKS = "global_0.1_degree_tiff_all"


@dataclass(frozen=True, slots=True)
class TileNames:
    """Artifact names of one tile in one year, as paths below the root."""

    tile: GridCell
    year: str

    @property
    def embedding(self) -> str:
        """int8 (H, W, D)"""
        return f"{self._folder}/{self.tile.name}.npy"

    @property
    def scales(self) -> str:
        """float32 (H, W); embedding x scale = value, 0 = no value"""
        return f"{self._folder}/{self.tile.name}_scales.npy"

    @property
    def digests(self) -> str:
        """SHA-256 of the two files above."""
        return f"{self._folder}/SHA256"

    @property
    def land_mask(self) -> str:
        """Also the only file that says where the pixels lie."""
        return f"{LAND_MASKS}/{self.tile.name}.tiff"

    @property
    def preview(self) -> str:
        return f"previews/{self.year}/{self.tile.name}.png"

    @property
    def provenance(self) -> str:
        return f"provenance/{self.year}/{self.tile.name}.json"

    @property
    def _folder(self) -> str:
        return f"{EMBEDDINGS}/{self.year}/{self.tile.name}"


def file_name(artifact: str) -> str:
    """The last part of an artifact's name."""
    return PurePosixPath(artifact).name
