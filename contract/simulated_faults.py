"""Failures on demand for the simulated queues and blobs: a hook that is called around every effect.

A hook that raises "before" is a request that never arrived; one that raises "after" is a lost answer: the
effect is there and the caller does not know. It may also do something else at that moment, such as let
another worker take its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Moment = Literal["before", "after"]
Fault = Callable[[Moment, str, str], None]
"""`fault(moment, operation, name)`; operation is the port's method, name the blob's or the queue's."""


def no_fault(_moment: Moment, _operation: str, _name: str) -> None:
    """Nothing ever goes wrong."""


@contextmanager
def effect(fault: Fault, operation: str, name: str) -> Iterator[None]:
    """Call the hook before and, when the effect itself succeeded, after what happens inside."""
    fault("before", operation, name)
    yield
    fault("after", operation, name)
