"""What drills came to: a line for each as it ends, a table in Markdown, and the story of each failure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from laptop_cloud.drills.run import Result

REPEAT = "fleetctl drill {drill} --seed {seed}"
_HEAD = (
    "drill",
    "runs",
    "seconds",
    "tiles",
    "attempts",
    "inference done again (s)",
    "requests per tile",
    "besides",
)


def line(result: Result) -> str:
    """One drill, as it ended."""
    what = f"{result.drill}, seed {result.seed}, {result.seconds:.1f} s"
    if result.failure is not None:
        return f"FAILED {what}: {result.failure.law}: {result.failure.found}"
    if result.cost is None:
        return f"left out {what}: {result.left_out}"
    return f"passed {what}" + "".join(f"; {remark}" for remark in result.cost.remarks)


def story(result: Result) -> str:
    """Why a drill failed, and how to see it again."""
    failure = result.failure
    assert failure is not None
    told = [
        f"{result.drill} failed under seed {result.seed}",
        f"  law:    {failure.law}",
        f"  found:  {failure.found}",
        f"  tile:   {failure.tile or 'none in particular'}",
        f"  logs:   {result.folder}",
        f"  again:  {REPEAT.format(drill=result.drill, seed=result.seed)}",
    ]
    if failure.history:
        told += ["  what is known of it:", *(f"    {row}" for row in failure.history.splitlines())]
    return "\n".join(told)


def table(results: Sequence[Result]) -> str:
    """All drills in Markdown, medians where one was played several times."""
    names = list(dict.fromkeys(result.drill for result in results))
    rows = [_row(name, [result for result in results if result.drill == name]) for name in names]
    lines = [_HEAD, ("---", *["---:"] * (len(_HEAD) - 2), "---"), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    passed = [result for result in results if result.cost is not None]
    costs = [result.cost for result in passed if result.cost is not None]
    if not costs:
        failed = sum(result.failure is not None for result in results)
        why = f"{failed} failed" if failed else results[0].left_out
        return (name, f"0 of {len(results)}", *[""] * 5, why)
    return (
        name,
        f"{len(passed)} of {len(results)}" if len(results) > 1 or len(passed) < len(results) else "1",
        _median((result.seconds for result in passed), ".1f"),
        _median((cost.tiles for cost in costs), ".0f"),
        _median((cost.attempts for cost in costs), ".0f"),
        _median((cost.redone_seconds for cost in costs), ".1f"),
        _median((cost.requests_per_tile for cost in costs), ".0f"),
        "; ".join(costs[0].remarks),
    )


def _median(values: Iterable[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    return format(statistics.median(known), form) if known else "-"
