"""What a rule said, and is over: resolved by what this tick remembers and the one before it remembered."""

from __future__ import annotations

from dataclasses import replace

from fleetctl.controller.actions import Verb
from fleetctl.controller.draft import Draft
from fleetctl.controller.memory import Intent, VmMemory
from fleetctl.controller.rules.charge import utc_day
from fleetctl.controller.rules.stops import UNEXPLAINED_STOPS
from fleetctl.controller.rules.wishes import BY_DOWN


def resolve(draft: Draft) -> None:
    """Machines that are set aside no more, a limit that holds no more, warnings of budgets that are other ones now."""
    for name, before in draft.memory.vms.items():
        for key in _said_of(before):
            if draft.intent(name) is not before.intent:
                after = draft.vms.get(name)
                draft.do(Verb.RESOLVE, f"{key}:{name}", after.reason if after else "the machine is gone")
    _resolve_stop(draft)
    if draft.seen.jobs is not None:
        _resolve_warnings(draft)


def _said_of(memory: VmMemory) -> tuple[str, ...]:
    """What stands of a machine for as long as its intent does."""
    if memory.intent is Intent.QUARANTINE:
        return ("quarantine",)
    is_held = memory.intent is Intent.PARK and memory.unexplained_stops >= UNEXPLAINED_STOPS
    return ("unexplained-stop",) if is_held else ()


def _resolve_stop(draft: Draft) -> None:
    before = draft.memory.stopped_by
    if before not in ("", BY_DOWN, draft.stopped_by):
        draft.do(
            Verb.RESOLVE,
            f"stopped:{before}",
            "another limit, or another day: this one stops nothing any more",
        )


def _resolve_warnings(draft: Draft) -> None:
    """A warning stands for as long as there is a budget of that amount, for that job or on that day."""
    limits = draft.policy.limits
    budgets = {"fleet": limits.usd, utc_day(draft.now): limits.usd_per_day}
    budgets |= {job.id: job.budget_usd for job in draft.seen.jobs or ()}
    for key in draft.spend.warned:
        what, _, usd = key.rsplit(":", 2)
        budget = budgets.get(what)
        if budget is None or f"{budget:g}" != usd:
            warned = tuple(other for other in draft.spend.warned if other != key)
            draft.spend = replace(draft.spend, warned=warned)
            draft.do(Verb.RESOLVE, f"budget:{key}", f"{what} has another budget now, or is over")
