"""Prices, remembered: from the price list, kept in a file for hours; where neither helps, the shipped figures.

The controller asks at every tick and must never wait, so for it a look-up answers from what is known and has the
list asked beside it. A person's command waits for the list instead.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from fleetctl.controller.policy import Offer, Priority
from fleetctl.money.figures import Figure, assumed, measured
from fleetctl.money.first_figures import FirstFigures
from fleetctl.money.retail import NoPrices

log = structlog.get_logger()

FRESH_SECONDS = 6 * 3600.0
"""Spot prices change a few times a month."""
TRUSTED_SECONDS = 7 * 24 * 3600.0
"""What is older counts as assumed."""
RETRY_SECONDS = 900.0
"""After the list did not answer, or did not know an offer."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownPrice:
    """What the list said."""

    usd_per_hour: float
    asked: float
    """Epoch seconds."""


class PriceBook:
    """One for each process; the file may be shared, the last one who writes it decides."""

    def __init__(
        self,
        file: Path,
        first: FirstFigures,
        fetch: Callable[[Iterable[Offer]], Mapping[Offer, float]],
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._first = first
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known = read_prices(file)
        self._tried: dict[Offer, float] = {}
        self._asking: threading.Thread | None = None
        self.trouble = ""
        """Why the list was last not answered; empty: it was, or was not asked."""

    def __call__(self, offers: Iterable[Offer]) -> Mapping[Offer, float]:
        """USD per hour, at once and without errors; an offer that nobody knows is left out."""
        wanted = list(offers)
        with self._lock:
            stale = self._stale(wanted)
            if stale and not (self._asking and self._asking.is_alive()):
                self._asking = threading.Thread(
                    target=self._ask_beside, args=(stale,), name="prices", daemon=True
                )
                self._asking.start()
        return {offer: figure.value for offer, figure in self._figures(wanted).items()}

    def look_up(self, offers: Iterable[Offer]) -> Mapping[Offer, Figure]:
        """The same with where each comes from, after asking the list for what is not fresh."""
        wanted = list(offers)
        with self._lock:
            stale = self._stale(wanted)
        if stale:
            self._ask(stale)
        return self._figures(wanted)

    def _stale(self, offers: Iterable[Offer]) -> list[Offer]:
        """Those to ask for now; each is then not asked again for a while, whatever the list says."""
        now = self._clock()
        stale = [
            offer
            for offer in offers
            if not self._is_fresh(offer, now)
            and now - self._tried.get(offer, -RETRY_SECONDS) >= RETRY_SECONDS
        ]
        self._tried |= dict.fromkeys(stale, now)
        return stale

    def _is_fresh(self, offer: Offer, now: float) -> bool:
        known = self._known.get(offer)
        return known is not None and abs(now - known.asked) < FRESH_SECONDS

    def _ask_beside(self, offers: list[Offer]) -> None:
        self._ask(offers)
        if self.trouble:
            log.warning("no new prices", reason=self.trouble, instead="older or assumed ones")

    def _ask(self, offers: list[Offer]) -> None:
        try:
            found = self._fetch(offers)
        except NoPrices as error:
            self.trouble = str(error)
            return
        now = self._clock()
        with self._lock:
            self.trouble = ""
            self._known |= {offer: KnownPrice(usd, now) for offer, usd in found.items()}
            write_prices(self._file, self._known)

    def _figures(self, offers: Iterable[Offer]) -> dict[Offer, Figure]:
        found: dict[Offer, Figure] = {}
        for offer in offers:
            known = self._known.get(offer)
            figure = self._figure(known) if known else self._first.usd_per_hour(offer)
            if figure is not None:
                found[offer] = figure
        return found

    def _figure(self, known: KnownPrice) -> Figure:
        day = datetime.fromtimestamp(known.asked, UTC).date().isoformat()
        is_trusted = abs(self._clock() - known.asked) < TRUSTED_SECONDS
        return (measured if is_trusted else assumed)(known.usd_per_hour, f"price list of {day}")


def read_prices(file: Path) -> dict[Offer, KnownPrice]:
    """What the file keeps; nothing when it is not there or damaged, since it is only a cache."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["v"] != VERSION:
            return {}
        return {
            Offer(e["region"], e["size"], Priority(e["priority"])): KnownPrice(
                float(e["usd_per_hour"]), float(e["asked"])
            )
            for e in record["prices"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_prices(file: Path, known: Mapping[Offer, KnownPrice]) -> None:
    """Whole or not at all. A folder that cannot be written costs the next process one question."""
    prices = [
        {
            "region": offer.region,
            "size": offer.size,
            "priority": offer.priority.value,
            "usd_per_hour": price.usd_per_hour,
            "asked": price.asked,
        }
        for offer, price in known.items()
    ]
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"v": VERSION, "prices": prices}, indent=1), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        log.warning("prices not kept", file=str(file), reason=str(error))
