"""A prepared folder and a checkpoint file, all the way to files, against upstream's own numbers."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.infer_folder import open_folder
from tests.golden import Golden, golden
from tests.prepared_folder import request

pytestmark = pytest.mark.slow


def checkpoint_of(case: Golden) -> dict:
    """Laid out as the published file of its family, with what training leaves behind."""
    sizes, state = case.weights.dimensions, dict(case.weights.state)
    if sizes.family == "v2":
        settings = {
            "repr_dim": sizes.representation,
            "latent_dim": sizes.width // 4,
            "num_layers": sizes.optical.layers,
            "nhead": sizes.optical.heads,
            "dim_feedforward": sizes.optical.feedforward,
            "enable_qk_norm": sizes.qk_norm,
        }
        return {"model": state, "args": settings}
    settings = {"latent_dim": sizes.width // 4, "representation_dim": sizes.representation}
    for prefix, backbone in (("s2_", sizes.optical), ("s1_", sizes.radar)):
        settings[f"{prefix}num_heads"] = backbone.heads
        settings[f"{prefix}num_layers"] = backbone.layers
        settings[f"{prefix}dim_feedforward"] = backbone.feedforward
    compiled = {f"_orig_mod.{name}": tensor for name, tensor in state.items()}
    return {"model_state": {**compiled, "projector.0.weight": torch.zeros(2)}, "config": settings}


@pytest.mark.parametrize("name", ["v11_tiny", "v11_asym_aws", "v11_nos1", "v2_nano", "v2_nano_qk"])
def test_files_equal_upstreams_from_folder_and_checkpoint(tmp_path, name):
    case = golden(name)
    case.cube.save(tmp_path / name)
    torch.save(checkpoint_of(case), tmp_path / "weights.pt")
    wanted = request(tmp_path / name, weights=tmp_path / "weights.pt")
    if case.weights.dimensions.family == "v2":
        wanted = replace(wanted, model="v2-nano")
    else:
        wanted = replace(wanted, data_source=case.data_source)
    opened = open_folder(wanted)
    shares: list[float] = []
    opened.infer(shares.append, threading.Event())
    opened.write()
    assert shares == sorted(shares)
    assert shares[-1] == 1
    quantised = np.load(tmp_path / "out" / f"{name}.npy")
    scales = np.load(tmp_path / "out" / f"{name}_scales.npy")
    steps = np.abs(quantised.astype(int) - case.arrays["int8"])
    assert (steps == 0).mean() >= 0.999
    assert steps.max() <= 1
    defined = case.arrays.get("defined", np.ones_like(scales)) != 0
    assert np.abs(scales[defined] / case.arrays["scales"][defined] - 1).max() <= 2e-4
    assert not scales[~defined].any()
