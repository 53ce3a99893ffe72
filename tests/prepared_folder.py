"""Prepared folders and checkpoints for the tests of `consumer infer`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from consumer.recipe_tools import FolderRequest
from tests.golden import tiny_weights


def save_checkpoint(path: Path, **changes) -> None:
    """A v1.1 checkpoint of a tiny network, laid out as the published ones. Changes: tensors under their
    names with `__` for dots, None to leave one out."""
    state = dict(tiny_weights("v1.1").state)
    for name, tensor in changes.items():
        key = name.replace("__", ".")
        state.pop(key, None)
        if tensor is not None:
            state[key] = tensor
    torch.save({"model_state": state, "config": {"s2_num_heads": 2, "s1_num_heads": 4}}, path)


def request(tile: Path, **changes) -> FolderRequest:
    """To infer that folder with v1.1, with changes."""
    wanted = FolderRequest(folder=tile, output=tile.parent / "out", model="v1.1")
    return replace(wanted, **changes)
