"""Prices, remembered: from the price list, kept in a file for hours; where neither helps, the shipped figures.

The controller asks at every tick and must never wait, so for it a look-up answers from what is known and has the
list asked beside it. A person's command waits for the list instead.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import structlog

from fleetctl.controller.policy import Offer, Priority, Route
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
Priced = TypeVar("Priced", Offer, Route)


@dataclass(frozen=True, slots=True)
class KnownPrice:
    """What the list said."""

    usd: float
    """Of an hour of an offer, of a GB over a route."""
    asked: float
    """Epoch seconds."""


class PriceBook:
    """One for each process; the file may be shared, the last one who writes it decides."""

    def __init__(
        self,
        file: Path,
        first: FirstFigures,
        fetch: Callable[[Iterable[Offer | Route]], Mapping[Offer | Route, float]],
        clock: Callable[[], float],
    ) -> None:
        self._file = file
        self._first = first
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._known = read_prices(file)
        self._tried: dict[Offer | Route, float] = {}
        self._failed_at = 0.0
        self._asking: threading.Thread | None = None
        self.trouble = ""
        """Why the list was last not answered; empty: it was, or was not asked."""

    def __call__(self, wanted: Iterable[Priced]) -> Mapping[Priced, float]:
        """USD per hour, or per GB, at once and without errors; an offer that nobody knows is left out."""
        entries = list(wanted)
        with self._lock:
            is_asking = self._asking is not None and self._asking.is_alive()
            stale = [] if is_asking else self._stale(entries)
            if stale:
                self._asking = threading.Thread(
                    target=self._ask_beside, args=(stale,), name="prices", daemon=True
                )
                self._asking.start()
        return {entry: figure.value for entry, figure in self._figures(entries).items()}

    def look_up(self, wanted: Iterable[Priced]) -> Mapping[Priced, Figure]:
        """The same with where each comes from, after asking the list for what is not fresh."""
        entries = list(wanted)
        with self._lock:
            stale = self._stale(entries)
        if stale:
            self._ask(stale)
        return self._figures(entries)

    def _stale(self, wanted: Iterable[Offer | Route]) -> list[Offer | Route]:
        """Those to ask for now; each is then not asked again for a while, whatever the list says. None while the list
        just failed to answer: nobody waits for it twice."""
        now = self._clock()
        if self.trouble and now - self._failed_at < RETRY_SECONDS:
            return []
        stale = [
            entry
            for entry in wanted
            if not self._is_fresh(entry, now)
            and now - self._tried.get(entry, -RETRY_SECONDS) >= RETRY_SECONDS
        ]
        self._tried |= dict.fromkeys(stale, now)
        return stale

    def _is_fresh(self, entry: Offer | Route, now: float) -> bool:
        known = self._known.get(entry)
        return known is not None and abs(now - known.asked) < FRESH_SECONDS

    def _ask_beside(self, wanted: list[Offer | Route]) -> None:
        self._ask(wanted)
        if self.trouble:
            log.warning("no new prices", reason=self.trouble, instead="older or assumed ones")

    def _ask(self, wanted: list[Offer | Route]) -> None:
        try:
            found = self._fetch(wanted)
        except NoPrices as error:
            self.trouble, self._failed_at = str(error), self._clock()
            return
        now = self._clock()
        with self._lock:
            self.trouble = ""
            self._known |= {entry: KnownPrice(usd, now) for entry, usd in found.items()}
            write_prices(self._file, self._known)

    def _figures(self, wanted: Iterable[Priced]) -> dict[Priced, Figure]:
        found: dict[Priced, Figure] = {}
        for entry in wanted:
            known = self._known.get(entry)
            figure = self._figure(known) if known else self._shipped(entry)
            if figure is not None:
                found[entry] = figure
        return found

    def _shipped(self, entry: Offer | Route) -> Figure | None:
        return self._first.usd_per_gb(entry) if isinstance(entry, Route) else self._first.usd_per_hour(entry)

    def _figure(self, known: KnownPrice) -> Figure:
        day = datetime.fromtimestamp(known.asked, UTC).date().isoformat()
        is_trusted = abs(self._clock() - known.asked) < TRUSTED_SECONDS
        return (measured if is_trusted else assumed)(known.usd, f"price list of {day}")


def read_prices(file: Path) -> dict[Offer | Route, KnownPrice]:
    """What the file keeps; nothing when it is not there or damaged, since it is only a cache."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if record["v"] != VERSION:
            return {}
        return dict(_entry(record) for record in record["prices"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _entry(record: Mapping[str, Any]) -> tuple[Offer | Route, KnownPrice]:
    asked = float(record["asked"])
    if "origin" in record:
        return Route(record["origin"], record["destination"]), KnownPrice(float(record["usd_per_gb"]), asked)
    offer = Offer(record["region"], record["size"], Priority(record["priority"]))
    return offer, KnownPrice(float(record["usd_per_hour"]), asked)


def write_prices(file: Path, known: Mapping[Offer | Route, KnownPrice]) -> None:
    """Whole or not at all. A folder that cannot be written costs the next process one question."""
    prices = [
        {
            **asdict(entry),
            ("usd_per_gb" if isinstance(entry, Route) else "usd_per_hour"): price.usd,
            "asked": price.asked,
        }
        for entry, price in known.items()
    ]
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"v": VERSION, "prices": prices}, indent=1), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        log.warning("prices not kept", file=str(file), reason=str(error))
