"""The networks against the formulas of their description, written out in NumPy for one pixel.

The reference is slow and obvious on purpose: it is what any faster network must still agree with,
also where the golden files are absent.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.layers import day_table
from consumer.recipes.tessera.models import Backbone, Dimensions
from consumer.recipes.tessera.network import build_network
from tests.golden import small_tile, tiny_weights

CASES = [("v1.1", False), ("v2-nano", False), ("v2-nano", True)]


class Reference:
    """One model in float64. Rows of a matrix are tokens."""

    def __init__(self, state: dict[str, torch.Tensor], dimensions: Dimensions) -> None:
        self.state = {name: tensor.numpy().astype(np.float64) for name, tensor in state.items()}
        self.dimensions = dimensions

    def represent(self, optical, radar) -> np.ndarray:
        pooled = [
            self.backbone("s2_backbone", self.dimensions.optical, *optical),
            self.backbone("s1_backbone", self.dimensions.radar, *radar),
        ]
        hidden = self.affine("dim_reducer.0", np.concatenate(pooled))
        hidden = np.maximum(self.norm("dim_reducer.1", hidden), 0)
        reduced = self.affine("dim_reducer.4", hidden)
        return reduced if self.dimensions.family == "v1.1" else standardise(reduced)

    def backbone(self, prefix: str, size: Backbone, values: np.ndarray, days: np.ndarray) -> np.ndarray:
        hidden = np.maximum(self.affine(f"{prefix}.embedding.0", values), 0)
        tokens = self.affine(f"{prefix}.embedding.2", hidden) + sinusoids(days, self.dimensions.width)
        for number in range(size.layers):
            level = "" if self.dimensions.qk_norm else "layers."
            layer = f"{prefix}.transformer_encoder.{level}{number}"
            tokens = self.norm(f"{layer}.norm1", tokens + self.attention(layer, size.heads, tokens))
            hidden = np.maximum(self.affine(f"{layer}.linear1", tokens), 0)
            tokens = self.norm(f"{layer}.norm2", tokens + self.affine(f"{layer}.linear2", hidden))
        if len(tokens) == 1:
            return tokens[0]
        seen = tokens
        if self.dimensions.family == "v1.1":
            states = self.gru(f"{prefix}.attn_pool.temporal_context.gru_cell", tokens)
            seen = self.norm(f"{prefix}.attn_pool.layer_norm", states)
        return softmax(self.affine(f"{prefix}.attn_pool.query", seen)[:, 0]) @ tokens

    def attention(self, layer: str, heads: int, tokens: np.ndarray) -> np.ndarray:
        if self.dimensions.qk_norm:
            query, key, value = (self.affine(f"{layer}.{name}_proj", tokens) for name in "qkv")
            out = f"{layer}.out_proj"
        else:
            weight = self.state[f"{layer}.self_attn.in_proj_weight"]
            bias = self.state[f"{layer}.self_attn.in_proj_bias"]
            query, key, value = np.split(tokens @ weight.T + bias, 3, axis=1)
            out = f"{layer}.self_attn.out_proj"
        mixed = []
        for q, k, v in zip(*(np.split(part, heads, axis=1) for part in (query, key, value)), strict=True):
            left, right = (self.rms_norm(layer, name, part) for name, part in (("q", q), ("k", k)))
            mixed.append(softmax(left @ right.T / np.sqrt(q.shape[1])) @ v)
        return self.affine(out, np.concatenate(mixed, axis=1))

    def rms_norm(self, layer: str, name: str, part: np.ndarray) -> np.ndarray:
        if not self.dimensions.qk_norm:
            return part
        root = np.sqrt((part**2).mean(axis=1, keepdims=True) + np.finfo(np.float32).eps)
        return part / root * self.state[f"{layer}.{name}_norm.weight"]

    def gru(self, cell: str, tokens: np.ndarray) -> np.ndarray:
        w = {name: self.state[f"{cell}.W_{name}.weight"] for name in ("ir", "iz", "ih", "hr", "hz", "hh")}
        b = {name: self.state[f"{cell}.b_{name}"] for name in "rzh"}
        state, states = np.zeros(self.dimensions.width), []
        for token in tokens:
            reset = sigmoid(w["ir"] @ token + w["hr"] @ state + b["r"])
            update = sigmoid(w["iz"] @ token + w["hz"] @ state + b["z"])
            proposal = np.tanh(w["ih"] @ token + w["hh"] @ (reset * state) + b["h"])
            state = (1 - update) * state + update * proposal
            states.append(state)
        return np.stack(states)

    def affine(self, name: str, inputs: np.ndarray) -> np.ndarray:
        return inputs @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def norm(self, name: str, inputs: np.ndarray) -> np.ndarray:
        return standardise(inputs) * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]


def standardise(inputs: np.ndarray) -> np.ndarray:
    centred = inputs - inputs.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def sigmoid(inputs: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-inputs))


def sinusoids(days: np.ndarray, width: int) -> np.ndarray:
    angles = days[:, np.newaxis] * np.exp(-2 * np.arange(width // 2) * np.log(10_000) / width)
    table = np.empty((len(days), width))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return table


def sequence(generator: np.random.Generator, length: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    return generator.normal(size=(length, channels)).astype(np.float32), generator.integers(0, 367, length)


@pytest.mark.parametrize(("optical_length", "radar_length"), [(8, 24), (16, 1), (1, 8)])
@pytest.mark.parametrize(("model", "qk_norm"), CASES)
def test_a_pixels_representation_follows_the_formulas(model, qk_norm, optical_length, radar_length):
    generator = np.random.default_rng(17)
    weights = tiny_weights(model, qk_norm=qk_norm)
    network = build_network(weights.dimensions, dict(weights.state))
    pixels = [
        (sequence(generator, optical_length, 10), sequence(generator, radar_length, 2)) for _ in range(3)
    ]
    expected = [Reference(weights.state, weights.dimensions).represent(*pixel) for pixel in pixels]
    batch = [
        [torch.from_numpy(np.stack([pixel[sensor][part] for pixel in pixels])) for part in (0, 1)]
        for sensor in (0, 1)
    ]
    with torch.inference_mode():
        pooled = network.s2_backbone(*batch[0]), network.s1_backbone(*batch[1])
        np.testing.assert_allclose(network.represent(*pooled).numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(("model", "qk_norm"), CASES)
def test_the_engine_treats_alike_two_pixels_with_the_same_observations(model, qk_norm):
    cube = small_tile()
    cube.bands[:, 5, 6], cube.masks[:, 5, 6] = cube.bands[:, 0, 1], cube.masks[:, 0, 1]
    for passes in (cube.sar_ascending, cube.sar_descending):
        passes[:, 5, 6] = passes[:, 0, 1]
    engine = Engine(tiny_weights(model, qk_norm=qk_norm), threads=1, batch_pixels=3)
    result = engine.infer(cube, block_rows=2, keep_floats=True)
    np.testing.assert_allclose(result.floats[5, 6], result.floats[0, 1], atol=1e-5)
    assert np.abs(result.floats[5, 6] - result.floats[3, 3]).max() > 1e-2


def test_the_day_table_has_a_row_for_no_day_and_for_every_day_of_a_leap_year():
    table = day_table(16)
    assert table.shape == (367, 16)
    np.testing.assert_allclose(table.numpy(), sinusoids(np.arange(367), 16), atol=5e-5)
