"""What a size's name, such as Standard_NV36ads_A10_v5, tells: its vCPUs, and whether it may be had as spot."""

from __future__ import annotations

import re

from contract.errors import BadInput

_SIZE = re.compile(
    r"Standard_([A-Z]+)([1-9]\d*)(?:-(\d+))?([a-z]*)(?:_[A-Za-z0-9]+)*?(_v\d+)?(_Promo)?", re.ASCII
)
"""Family, vCPUs, constrained vCPUs, features, accelerator, version."""


def vcpus_of(size: str) -> int:
    """What one machine takes of a quota. A constrained size (`E16-4s`) counts all that its hardware has.

    BadInput for a name that is none.
    """
    match = _SIZE.fullmatch(size)
    if match is None:
        raise BadInput(f"{size[:60]!r} is no size of a machine: write it as Standard_D16s_v6")
    return int(match.group(2))


def why_never_spot(size: str) -> str:
    """Why that size cannot be had as spot, as its name tells; empty when it may be."""
    match = _SIZE.fullmatch(size)
    if match is None:
        return ""
    if match.group(1) == "B":
        return "burstable (B) sizes are never spot"
    return "promotional sizes are never spot" if match.group(6) else ""
