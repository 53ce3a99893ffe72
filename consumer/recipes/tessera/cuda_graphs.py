"""A backbone on a GPU, recorded once per shape and replayed.

v1.1's recurrent pooling is a chain of some 1600 short kernels per batch, which a host cannot launch as
fast as a GPU runs them. A recorded graph is launched as one. That needs inputs of fixed shape at fixed
places, so a batch is filled up to its full size and copied there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from consumer.recipes.tessera.fast_backbone import Done, FastBackbone
from consumer.recipes.tessera.sequences import Sequences

BATCHES_IN_FLIGHT = 2
"""The GPU never waits for the host, and a stop waits for a fraction of a second of work at most."""
WARM_UPS = 2
"""Runs before recording: libraries choose kernels and reserve their memory in the first."""


@dataclass(frozen=True, eq=False)
class Recording:
    """One graph with the places that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: Sequences
    pooled: Tensor


class GraphedBackbone:
    """The same function as the backbone that it records, for sequences that show every row once."""

    def __init__(self, backbone: FastBackbone, batch_pixels: Callable[[int], int]) -> None:
        """batch_pixels(length): how many sequences of that length a batch has at most."""
        self._backbone = backbone
        self._batch_pixels = batch_pixels
        self._recordings: dict[int, Recording | None] = {}
        self._memory = torch.cuda.graph_pool_handle()  # one for all: only one graph runs at a time
        self._in_flight: deque[torch.cuda.Event] = deque()

    def __call__(self, sequences: Sequences, done: Done) -> Tensor:
        """-> (B, D) float32"""
        count, _, length = sequences.shape
        if count == 1:  # stands for all pixels without an observation: not worth a full batch
            return self._backbone(sequences, done)
        full = filled_up(sequences, self._batch_pixels(length))
        if length not in self._recordings:
            self._recordings[length] = self._record(full)
        recording = self._recordings[length]
        pooled = self._backbone(full, done) if recording is None else _replay(recording, full)
        self._limit_in_flight()
        done("transformer")
        return pooled[:count]

    def _record(self, example: Sequences) -> Recording | None:
        """None where this cannot be recorded: then each kernel is launched by itself, only slower."""
        inputs = Sequences(example.values.clone(), example.days.clone(), example.order.clone(), copies=None)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                self._backbone(inputs, _nobody_waits)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        try:
            # Another thread is uploading the next block: only this one's calls may spoil the recording.
            with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
                pooled = self._backbone(inputs, _nobody_waits)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:
            torch.cuda.synchronize()  # a fault of the device, not of recording, comes up here again
            return None
        return Recording(graph, inputs, pooled)

    def _limit_in_flight(self) -> None:
        event = torch.cuda.Event()
        event.record()
        self._in_flight.append(event)
        if len(self._in_flight) > BATCHES_IN_FLIGHT:
            self._in_flight.popleft().synchronize()


def filled_up(sequences: Sequences, count: int) -> Sequences:
    """As many sequences as wanted; the ones added see nothing, and nobody looks at their result."""
    missing = count - sequences.shape[0]
    if not missing:
        return sequences
    values, days = (
        torch.cat([part, part.new_zeros((missing, *part.shape[1:]))])
        for part in (sequences.values, sequences.days)
    )
    order = torch.cat([sequences.order, sequences.order[:1].expand(missing, -1)])
    return replace(sequences, values=values, days=days, order=order)


def _replay(recording: Recording, sequences: Sequences) -> Tensor:
    recording.inputs.values.copy_(sequences.values)
    recording.inputs.days.copy_(sequences.days)
    recording.graph.replay()  # `order` is the same in every batch of a length: row by row
    return recording.pooled.clone()


def _nobody_waits(_part: str) -> None:
    """While recording nothing has run yet."""
