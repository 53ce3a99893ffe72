"""Checkpoints are strangers' files: what is read from them, and what is refused in which words."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import pytest
import torch

from consumer.recipes.tessera.models import PUBLISHED
from consumer.recipes.tessera.network import weight_shapes
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import load_weights
from contract.errors import BadInput
from tests.golden import tiny_weights

pytestmark = pytest.mark.slow

V1_CONFIG = {"latent_dim": 4, "s2_num_heads": 2, "s1_num_heads": 4, "representation_dim": 20, "epochs": 3}
V2_ARGS = {"latent_dim": 4, "nhead": 2, "repr_dim": 20}


@pytest.fixture
def v1_state() -> dict[str, torch.Tensor]:
    return dict(tiny_weights("v1.1").state)


@pytest.fixture
def v2_state() -> dict[str, torch.Tensor]:
    return dict(tiny_weights("v2-nano").state)


def save(folder: Path, content: object) -> Path:
    path = folder / "weights.pt"
    torch.save(content, path)
    return path


def save_v1(folder: Path, state: dict, config: object = None, key: str = "model_state") -> Path:
    return save(folder, {key: state, "config": V1_CONFIG if config is None else config, "step": 7})


def refusal(path: Path, model: str = "v1.1", **options) -> str:
    with pytest.raises(BadInput) as caught:
        load_weights(path, model, **options)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("key", ["model_state", "model_state_dict"])
def test_a_v1_checkpoint_loads_with_the_dimensions_that_it_tells(tmp_path, v1_state, key):
    path = save_v1(tmp_path, v1_state, key=key)
    weights = load_weights(path, "v1.1", data_source="aws")
    assert weights.dimensions == tiny_weights("v1.1").dimensions
    assert weights.is_trained
    assert weights.data_source == "aws"
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(torch.equal(weights.state[name], tensor) for name, tensor in v1_state.items())


@pytest.mark.parametrize("container", [dict, lambda settings: argparse.Namespace(**settings)])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_a_student_checkpoint_loads_with_its_arguments_as_a_dict_or_as_argparse_left_them(
    tmp_path, container, qk_norm
):
    expected = tiny_weights("v2-nano", qk_norm=qk_norm)
    args = container({**V2_ARGS, "enable_qk_norm": qk_norm})
    path = save(tmp_path, {"model": dict(expected.state), "args": args})
    weights = load_weights(path, "v2-nano")
    assert weights.dimensions == expected.dimensions


def test_a_compiled_networks_prefix_is_stripped_and_what_only_training_used_is_dropped(tmp_path, v1_state):
    state = {f"_orig_mod.{name}": tensor for name, tensor in v1_state.items()}
    state["_orig_mod.projector.0.weight"] = torch.ones(3, 3)
    state["segmented_matryoshka_projector.head.bias"] = torch.ones(3)
    weights = load_weights(save_v1(tmp_path, state), "v1.1")
    assert weights.state.keys() == v1_state.keys()


def test_half_precision_tensors_become_float32(tmp_path, v1_state):
    state = {name: tensor.to(torch.bfloat16) for name, tensor in v1_state.items()}
    weights = load_weights(save_v1(tmp_path, state), "v1.1")
    assert {tensor.dtype for tensor in weights.state.values()} == {torch.float32}


def test_the_file_may_go_once_it_is_loaded(tmp_path, v1_state):
    path = save_v1(tmp_path, v1_state)
    weights = load_weights(path, "v1.1")
    path.write_bytes(b"\0" * path.stat().st_size)
    assert all(torch.equal(weights.state[name], tensor) for name, tensor in v1_state.items())


def test_files_of_torchs_older_format_load_too(tmp_path, v1_state):
    path = tmp_path / "old.pt"
    content = {"model_state": v1_state, "config": V1_CONFIG}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert load_weights(path, "v1.1").state.keys() == v1_state.keys()


def test_the_configs_own_sequence_lengths_count(tmp_path, v1_state):
    config = {**V1_CONFIG, "num_obs_checkpoints": [4, 12]}
    assert load_weights(save_v1(tmp_path, v1_state, config), "v1.1").dimensions.sequence_lengths == (4, 12)


class Trap:
    """Unpickling it would make the file it is given."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self):
        return Path.touch, (self.witness,)


def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, v1_state):
    witness = tmp_path / "ran"
    path = save_v1(tmp_path, v1_state, config={"trap": Trap(witness)})
    assert "nothing in it was run" in refusal(path)
    assert not witness.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_named(tmp_path, v1_state, share):
    path = save_v1(tmp_path, v1_state)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refusal(path)


@pytest.mark.parametrize(
    "content", [b"{}", b"<html>not found</html>", b"\x80\x02K\x01.", b"PK\x03\x04garbage"]
)
def test_something_else_than_a_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "page.pt"
    path.write_bytes(content)
    refusal(path)


def test_a_missing_file_and_an_unknown_model_are_named(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "absent.pt")
    with pytest.raises(BadInput, match=r"'v3'.*v2-nano"):
        load_weights(tmp_path / "absent.pt", "v3")


def test_another_file_than_the_pinned_one_is_refused(tmp_path, v1_state):
    path = save_v1(tmp_path, v1_state)
    assert "pinned" in refusal(path, expected_sha256="0" * 64)
    load_weights(path, "v1.1", expected_sha256=hashlib.sha256(path.read_bytes()).hexdigest().upper())


def test_a_file_larger_than_any_checkpoint_is_refused_unread(tmp_path, monkeypatch, v1_state):
    monkeypatch.setattr("consumer.recipes.tessera.weights.MAX_FILE_BYTES", 1000)
    assert "more than the 1000" in refusal(save_v1(tmp_path, v1_state))


def test_tensors_must_be_complete_known_well_shaped_and_finite(tmp_path, v1_state):
    bias = "dim_reducer.4.bias"
    lacking = {name: tensor for name, tensor in v1_state.items() if name != bias}
    assert f"1 of its tensors are missing, such as {bias}" in refusal(save_v1(tmp_path, lacking))
    assert "1 of its tensors are unknown, such as extra" in refusal(
        save_v1(tmp_path, {**v1_state, "extra": torch.ones(1)})
    )
    assert "shape (3,), expected (20,)" in refusal(save_v1(tmp_path, {**v1_state, bias: torch.ones(3)}))
    not_finite = torch.full((20,), torch.nan)
    assert "not finite" in refusal(save_v1(tmp_path, {**v1_state, bias: not_finite}))
    assert "something else" in refusal(save_v1(tmp_path, {**v1_state, bias: "a text"}))


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"latent_dim": 192}, "latent_dim = 192"),
        ({"s2_num_heads": 3}, "3 heads"),
        ({"s1_num_layers": 4}, "s1_num_layers = 4"),
        ({"num_obs_checkpoints": "many"}, "num_obs_checkpoints"),
    ],
)
def test_settings_that_contradict_the_tensors_are_refused(tmp_path, v1_state, config, complaint):
    assert complaint in refusal(save_v1(tmp_path, v1_state, {**V1_CONFIG, **config}))


def test_a_file_of_another_family_or_size_is_named_as_such(tmp_path, v1_state):
    assert "no checkpoint of v2-nano" in refusal(save_v1(tmp_path, v1_state), "v2-nano")
    path = save(tmp_path, {"model": dict(untrained_weights("v2-nano").state)})
    assert "has the sizes of v2-nano, not of v2-large" in refusal(path, "v2-large")


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("v1.1", 57_708_738),
        ("v2-nano", 1_071_874),
        ("v2-small", 7_112_322),
        ("v2-medium", 21_026_178),
        ("v2-large", 43_831_170),
    ],
)
def test_published_dimensions_give_the_published_numbers_of_parameters(model, parameters):
    shapes = weight_shapes(PUBLISHED[model])
    assert sum(torch.Size(shape).numel() for shape in shapes.values()) == parameters


def test_untrained_weights_follow_from_the_seed_alone():
    first, again, other = (untrained_weights("v2-nano", seed=seed) for seed in (1, 1, 2))
    assert first.sha256 == again.sha256 != other.sha256
    assert not first.is_trained
