"""Environment that keeps every library's thread pool within a slot's share of the cores. Pure.

Libraries size their pools by the machine's cores, some of them while they are imported and before anybody
could tell them otherwise; hundreds of threads then wait for each other. So they are told before the start.
"""

from __future__ import annotations

POOLS = (
    "OMP_NUM_THREADS",  # torch, and whatever else uses OpenMP
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",  # NumPy's matrix products
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "GDAL_NUM_THREADS",  # warps and compressed rasters
    "RAYON_NUM_THREADS",  # libraries written in Rust
)
GDAL_CACHE_SHARE = 0.05
"""GDAL's own default, of the machine's memory for each process; here of the slot's budget."""


def thread_caps(threads: int, memory_bytes: int) -> dict[str, str]:
    """Variables for a process that may use so many threads at once and holds so much in tiles."""
    gdal_cache_megabytes = max(16, int(memory_bytes * GDAL_CACHE_SHARE) // 1024**2)
    return {**dict.fromkeys(POOLS, str(threads)), "GDAL_CACHEMAX": str(gdal_cache_megabytes)}
