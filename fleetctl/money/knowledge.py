"""What is known of an offer when somebody compares or estimates: the best figure that there is, and whence. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleetctl.controller.memory import Spend
from fleetctl.controller.policy import Offer, Route
from fleetctl.controller.snapshot import Quota
from fleetctl.money.calibrations import Calibration
from fleetctl.money.figures import Figure, assumed, measured
from fleetctl.money.first_figures import SOURCE, FirstFigures

EVICTIONS_PER_VM_HOUR = 0.02
"""Between .001 and .072 were measured in different regions; their geometric middle is .0085: we are careful."""
ENOUGH_VM_HOURS = 50.0
"""From then on a fleet's own evictions say more than an assumption."""
BOOT_SECONDS = 270.0
"""From start to the first tile; four to five minutes were measured."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything measured that could be found, over the shipped figures."""

    first: FirstFigures
    prices: Mapping[Offer, Figure]
    """USD per hour."""
    traffic: Mapping[Route, Figure] = field(default_factory=dict)
    """USD per GB."""
    calibrations: Mapping[tuple[str, str], Calibration] = field(default_factory=dict)
    """By size and region."""
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    """Spot vCPUs by region."""
    spend: Spend = field(default_factory=Spend)
    """The controller's account: how often it lost machines of an offer."""
    job_seconds: Mapping[str, Figure] = field(default_factory=dict)
    """Seconds per tile by size, from a job's own commits; they count more than a calibration."""

    def tile_seconds(self, offer: Offer) -> Figure | None:
        """Per tile on a machine that is kept fed; None for a size that nobody tried."""
        if offer.size in self.job_seconds:
            return self.job_seconds[offer.size]
        here = self.calibrations.get((offer.size, offer.region))
        elsewhere = next((c for (size, _), c in self.calibrations.items() if size == offer.size), None)
        if best := here or elsewhere:
            return measured(best.cube_seconds, f"calibrated in {best.region} on {best.measured[:10]}")
        known = self.first.sizes.get(offer.size)
        return assumed(known.tile_seconds, SOURCE) if known else None

    def download_seconds(self, offer: Offer) -> Figure:
        """Of one tile, while others are inferred."""
        if best := self.calibrations.get((offer.size, offer.region)):
            return measured(best.download_seconds, f"calibrated on {best.measured[:10]}")
        return assumed(self.first.download_seconds, SOURCE)

    def boot_seconds(self, offer: Offer) -> Figure:
        if best := self.calibrations.get((offer.size, offer.region)):
            return measured(best.boot_seconds, f"calibrated on {best.measured[:10]}")
        return assumed(BOOT_SECONDS, "boots of four to five minutes")

    def usd_per_gb(self, route: Route) -> Figure:
        """Of what leaves one region for another."""
        return self.traffic.get(route) or self.first.usd_per_gb(route)

    def spot_vcpus(self, region: str) -> Figure:
        """That the subscription may have there in all."""
        if region in self.quotas:
            return measured(self.quotas[region].limit, "quota now")
        return assumed(self.first.spot_vcpus, SOURCE)

    def evictions_per_vm_hour(self, offer: Offer) -> Figure:
        hours = self.spend.vm_hours.get(str(offer), 0.0)
        if hours >= ENOUGH_VM_HOURS:
            rate = self.spend.evictions.get(str(offer), 0) / hours
            return measured(rate, f"{hours:,.0f} VM hours of this fleet")
        return assumed(EVICTIONS_PER_VM_HOUR, "between .001 and .072 were measured elsewhere")
