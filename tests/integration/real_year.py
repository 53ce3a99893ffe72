"""A real year over one forest patch, put behind a STAC API as the archives would serve it.

Every Sentinel-2 and Sentinel-1 acquisition of 2020 over 60 x 60 m near Hanover (TreeSatAI Time-Series,
CC BY 4.0; contains modified Copernicus Sentinel data). The scene classification is not part of the data
set; it is derived from the snow and cloud probabilities that are: a pixel is vegetation where both are
under 2 %, cloud of high probability where the cloud layer says 50 % or more, else cloud of medium
probability. Both layers, because the cloud layer alone takes bright clouds for snow.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyogrio.raw
import shapely
from affine import Affine
from rasterio.warp import transform_geom

from contract.tile_id import parse_tile
from laptop_cloud.scenes.write import Raster, write_scene

SOURCE = Path(__file__).parents[2].parent / "shared" / "data" / "real" / "treesatai_s2_s1_timeseries.npz"
TILE = parse_tile("grid_9.95_52.05")
YEAR = "2020"
VEGETATION, CLOUD_MEDIUM, CLOUD_HIGH = 4, 8, 9


class RealYear:
    """The arrays, and where their six by six pixels lie."""

    def __init__(self) -> None:
        self.arrays = dict(np.load(SOURCE))
        self.epsg = int(self.arrays["epsg"])
        left, bottom, right, top = self.arrays["bbox"]
        self.bounds = (left, bottom, right, top)
        self.transform = Affine((right - left) / 6, 0, left, 0, (bottom - top) / 6, top)
        self.bands = [str(name) for name in self.arrays["s2_band_names"]]

    @property
    def scene_classes(self) -> np.ndarray:
        """(146, 6, 6) uint8, derived as the module's text says."""
        snow, cloud = self.arrays["s2_snow_cloud_prob"][:, 0], self.arrays["s2_snow_cloud_prob"][:, 1]
        classes = np.where(cloud >= 50, CLOUD_HIGH, CLOUD_MEDIUM)
        return np.where((snow < 2) & (cloud < 2), VEGETATION, classes).astype(np.uint8)

    def write_scenes(self, root: Path) -> None:
        """Each acquisition as a scene of single-band COGs."""
        classes = self.scene_classes
        for index, product in enumerate(self.arrays["s2_products"]):
            pixels = dict(zip(self.bands, self.arrays["s2"][index], strict=True)) | {"SCL": classes[index]}
            baseline = str(product).split("_N")[1][:4]
            properties = {"eo:cloud_cover": 50.0, "s2:processing_baseline": f"{baseline[:2]}.{baseline[2:]}"}
            when = self.arrays["s2_dates"][index]
            self._write(root, "sentinel-2-l2a", str(product), when, pixels=pixels, properties=properties)
        for orbit, short in (("ascending", "asc"), ("descending", "desc")):
            for index, product in enumerate(self.arrays[f"s1_{short}_products"]):
                vv, vh = self.arrays[f"s1_{short}"][index]
                when = self.arrays[f"s1_{short}_dates"][index]
                self._write(
                    root,
                    "sentinel-1-rtc",
                    f"{product}_rtc",
                    when,
                    pixels={"vv": vv, "vh": vh},
                    properties={"sat:orbit_state": orbit},
                )

    def write_land(self, path: Path) -> None:
        """A FlatGeobuf whose only land is the patch, a metre smaller: nothing else need be inferred."""
        left, bottom, right, top = self.bounds
        patch = shapely.geometry.mapping(shapely.box(left + 1, bottom + 1, right - 1, top - 1))
        land = shapely.geometry.shape(transform_geom(f"EPSG:{self.epsg}", "EPSG:4326", patch))
        pyogrio.raw.write(
            path,
            np.array([shapely.to_wkb(land)], dtype=object),
            [],
            [],
            driver="FlatGeobuf",
            geometry_type="Polygon",
            crs="EPSG:4326",
        )

    def _write(self, root, collection, scene_id, when, *, pixels, properties) -> None:
        write_scene(
            root,
            scene_id=scene_id,
            collection=collection,
            when=datetime.fromisoformat(str(when)).replace(tzinfo=UTC),
            epsg=self.epsg,
            assets={name: Raster(values, self.transform) for name, values in pixels.items()},
            properties=properties,
            nodata=-32768 if collection == "sentinel-1-rtc" else 0,
        )
