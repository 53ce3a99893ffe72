"""STAC items and collections as the Planetary Computer serves them, with hrefs relative to a folder.

Only the fields that software looks at are filled: times, footprint, projection, orbit, cloud, baseline.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import shapely
from affine import Affine

from laptop_cloud.scenes.passes import Pass
from laptop_cloud.scenes.pixel_grid import Granule, reprojected

SENTINEL2_L2A = "sentinel-2-l2a"
SENTINEL1_RTC = "sentinel-1-rtc"
ITEM_FILE = "item.json"
"""Lies beside a scene's assets and is written after them: a folder with it is a finished scene."""

_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSION = "https://stac-extensions.github.io/{}/schema.json"
_FOOTPRINT_STEP_METRES = 10_000  # straight lines in UTM are curves in degrees
_TITLES = {
    SENTINEL2_L2A: "Sentinel-2 Level-2A",
    SENTINEL1_RTC: "Sentinel 1 Radiometrically Terrain Corrected (RTC)",
}


def time_text(when: datetime) -> str:
    """The time as STAC writes it, to the microsecond and in UTC."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sentinel2_id(overpass: Pass, granule: str) -> str:
    """As the Planetary Computer names items: platform, start, orbit, granule, time of processing."""
    processed = overpass.when + timedelta(hours=4)
    return (
        f"{overpass.platform}_MSIL2A_{overpass.when:%Y%m%dT%H%M%S}_R{overpass.relative_orbit:03d}"
        f"_T{granule}_{processed:%Y%m%dT%H%M%S}"
    )


def sentinel1_id(overpass: Pass) -> str:
    """As the Planetary Computer names items: platform, mode, start, end, absolute orbit, data take."""
    end = overpass.when + timedelta(seconds=25)
    take = overpass.when.timetuple().tm_yday * 100 + overpass.relative_orbit
    return (
        f"{overpass.platform}_IW_GRDH_1SDV_{overpass.when:%Y%m%dT%H%M%S}_{end:%Y%m%dT%H%M%S}"
        f"_{take:06d}_{take:06X}_rtc"
    )


def sentinel2_properties(
    overpass: Pass, granule: Granule, *, baseline: str, cloud_percent: float, unseen_percent: float
) -> dict[str, Any]:
    """The properties of a granule's item; percentages as in the products' metadata."""
    return {
        "platform": f"Sentinel-2{overpass.platform[-1]}",
        "instruments": ["msi"],
        "constellation": "Sentinel 2",
        "s2:mgrs_tile": granule.name,
        "s2:processing_baseline": baseline,
        "s2:product_type": "S2MSI2A",
        "s2:nodata_pixel_percentage": unseen_percent,
        "eo:cloud_cover": cloud_percent,
        "sat:orbit_state": overpass.direction,
        "sat:relative_orbit": overpass.relative_orbit,
    }


def sentinel1_properties(overpass: Pass) -> dict[str, Any]:
    """The properties of an RTC scene's item."""
    end = overpass.when + timedelta(seconds=25)
    return {
        "platform": "SENTINEL-1A",
        "constellation": "Sentinel-1",
        "start_datetime": time_text(overpass.when),
        "end_datetime": time_text(end),
        "sar:instrument_mode": "IW",
        "sar:frequency_band": "C",
        "sar:polarizations": ["VV", "VH"],
        "sar:product_type": "GRD",
        "sat:orbit_state": overpass.direction,
        "sat:relative_orbit": overpass.relative_orbit,
    }


def item(
    *,
    scene_id: str,
    collection: str,
    when: datetime,
    epsg: int,
    footprint: shapely.Geometry,
    assets: dict[str, dict[str, Any]],
    properties: dict[str, Any],
) -> dict[str, Any]:
    """The item of one scene; `footprint` in metres of zone `epsg`, `assets` from `cog_asset`."""
    outline = reprojected(shapely.segmentize(footprint, _FOOTPRINT_STEP_METRES), epsg, "EPSG:4326")
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            _EXTENSION.format(name) for name in ("eo/v1.0.0", "sat/v1.0.0", "projection/v1.1.0")
        ],
        "id": scene_id,
        "collection": collection,
        "bbox": shapely.bounds(outline).tolist(),
        "geometry": json.loads(shapely.to_geojson(outline)),
        "properties": {
            "datetime": time_text(when),
            "proj:epsg": epsg,
            "proj:code": f"EPSG:{epsg}",
            **properties,
        },
        "links": [],
        "assets": assets,
    }


def cog_asset(name: str, transform: Affine, shape: tuple[int, int]) -> dict[str, Any]:
    """The asset of the file `name`.tif beside the item; `shape` is (height, width)."""
    height, width = shape
    left, top = transform @ (0, 0)
    right, bottom = transform @ (width, height)
    return {
        "href": f"{name}.tif",
        "type": _COG,
        "roles": ["data"],
        "gsd": float(transform.a),
        "proj:shape": [height, width],
        "proj:bbox": [left, bottom, right, top],
        "proj:transform": list(map(float, transform[:6])),
    }


def collection(name: str, items: list[dict[str, Any]]) -> dict[str, Any]:
    """The collection that holds these items; an unknown name gets itself as its title."""
    boxes = [shapely.box(*one["bbox"]) for one in items]
    times = sorted(one["properties"]["datetime"] for one in items)
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "title": _TITLES.get(name, name),
        "description": f"{_TITLES.get(name, name)}, on the laptop cloud",
        "license": "proprietary",
        "extent": {
            "spatial": {"bbox": [shapely.total_bounds(boxes).tolist()]},
            "temporal": {"interval": [[times[0], times[-1]]]},
        },
        "links": [],
    }
