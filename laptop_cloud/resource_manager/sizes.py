"""The sizes of machine that this cloud sells, and where."""

from __future__ import annotations

from dataclasses import dataclass

REGIONS = ("eastus", "northeurope", "southindia", "uksouth", "westeurope", "westus2")
"""What is sold is sold in all of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """One size."""

    name: str
    vcpus: int
    memory_gb: int
    family: str
    """As a quota is named."""
    usd_per_hour: float
    """On demand, in the first region."""
    spot_usd_per_hour: float
    can_be_spot: bool = True


# Spot prices of the four sizes that were measured; the others are near what such sizes cost.
SIZES = {
    size.name: size
    for size in (
        Size("Standard_NV36ads_A10_v5", 36, 440, "standardNVADSA10v5Family", 3.20, 0.591),
        Size("Standard_NV6ads_A10_v5", 6, 55, "standardNVADSA10v5Family", 0.454, 0.084),
        Size("Standard_NC8as_T4_v3", 8, 56, "Standard NCASv3_T4 Family", 0.752, 0.292),
        Size("Standard_D16s_v6", 16, 64, "StandardDsv6Family", 0.806, 0.184),
        Size("Standard_D8s_v6", 8, 32, "StandardDsv6Family", 0.403, 0.092),
        Size("Standard_D2s_v5", 2, 8, "standardDSv5Family", 0.096, 0.019),
        Size("Standard_D4s_v5", 4, 16, "standardDSv5Family", 0.192, 0.038),
        Size("Standard_B2s", 2, 4, "standardBSFamily", 0.042, 0.042, can_be_spot=False),
    )
}
