"""Scenes made on the spot, and what a plain reprojection makes of them."""

from datetime import UTC, datetime

import numpy as np
from affine import Affine
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.warp import reproject

from consumer.imagery.layer import Layer
from consumer.imagery.pixel_grid import PixelGrid
from consumer.imagery.search import Scene

OPTICAL = Layer("uint16", nodata=0, is_bilinear=True)
CLASSES = Layer("uint8", nodata=0, is_bilinear=False, stored_as=("uint8", "uint16"))
SCENE_TRANSFORM = Affine(10, 0, 500_000, 0, -10, 6_000_000)
GRID = PixelGrid(epsg=32630, left=500_333.3, top=5_999_444.4, resolution=10, width=60, height=50)


def scene_at(href, band="B02", **fields):
    """A scene of one file, as the catalogue would tell of it."""
    return Scene(
        id="a scene",
        collection="any",
        acquired=datetime(2024, 6, 1, tzinfo=UTC),
        assets={band: href},
        cloud_percent=None,
        orbit="unknown",
        baseline=None,
        **fields,
    )


def noise():
    return np.random.default_rng(7).integers(1, 9000, (600, 600)).astype(np.uint16)


def cog(pixels, *, nodata=0, epsg=32630, transform=SCENE_TRANSFORM):
    with MemoryFile() as memory:
        with memory.open(
            driver="COG",
            width=pixels.shape[1],
            height=pixels.shape[0],
            count=1,
            dtype=pixels.dtype,
            crs=f"EPSG:{epsg}",
            transform=transform,
            nodata=nodata,
            compress="deflate",
            blocksize=128,
        ) as file:
            file.write(pixels, 1)
        return memory.read()


def reference(pixels, layer=OPTICAL, grid=GRID, epsg=32630, transform=SCENE_TRANSFORM):
    expected = np.full(grid.shape, layer.nodata, dtype=layer.dtype)
    reproject(
        pixels,
        expected,
        src_transform=transform,
        src_crs=f"EPSG:{epsg}",
        src_nodata=layer.nodata,
        dst_transform=grid.transform,
        dst_crs=grid.crs,
        dst_nodata=layer.nodata,
        resampling=Resampling.bilinear if layer.is_bilinear else Resampling.nearest,
    )
    return expected
