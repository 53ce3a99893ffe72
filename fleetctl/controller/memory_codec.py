"""The controller's record as bytes and back. Codec only; `memory_store.py` keeps it."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from contract.errors import BadInput
from contract.json_text import parse_object, to_bytes
from fleetctl.controller.actions import Action, Verb
from fleetctl.controller.memory import Intent, Memory, OfferMemory, Spend, VmMemory
from fleetctl.controller.policy import Offer, Priority

VERSION = 1
MAX_MEMORY_BYTES = 16 * 1024 * 1024
"""Some 300 bytes per machine: room for tens of thousands."""


def encode_memory(memory: Memory) -> bytes:
    """The record's bytes."""
    record = asdict(replace(memory, offers={}))
    record["v"] = VERSION
    record["offers"] = [
        {"offer": [offer.region, offer.size, offer.priority.value], **asdict(known)}
        for offer, known in memory.offers.items()
    ]
    return to_bytes(record)


def decode_memory(data: bytes) -> Memory:
    """The record in `data`; BadInput when it is not one, or of a version that we do not know."""
    record = parse_object(data, "the controller's record")
    if record.pop("v", None) != VERSION:
        raise BadInput(f"the controller's record is not of version {VERSION}: a newer fleetctl wrote it")
    try:
        return Memory(
            vms={name: _vm(entry) for name, entry in record.pop("vms").items()},
            offers=dict(_offer(entry) for entry in record.pop("offers")),
            spend=_spend(record.pop("spend")),
            in_doubt=tuple(Action(Verb(entry.pop("verb")), **entry) for entry in record.pop("in_doubt", ())),
            **record,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(f"the controller's record lacks or misstates {str(error)[:120]}") from error


def _vm(entry: dict[str, Any]) -> VmMemory:
    return VmMemory(
        **{**entry, "intent": Intent(entry["intent"]), "rehosts": tuple(map(float, entry["rehosts"]))}
    )


def _offer(entry: dict[str, Any]) -> tuple[Offer, OfferMemory]:
    region, size, priority = entry.pop("offer")
    return Offer(str(region), str(size), Priority(priority)), OfferMemory(**entry)


def _spend(entry: dict[str, Any]) -> Spend:
    return Spend(**{**entry, "warned": tuple(map(str, entry["warned"]))})
