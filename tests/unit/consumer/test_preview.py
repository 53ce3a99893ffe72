import numpy as np
import pytest
from PIL import Image

from consumer.recipes.tessera.declaration import DECLARATION
from consumer.recipes.tessera.preview import (
    UNTRAINED_STRETCHES,
    Stretch,
    brightness,
    preview_image,
    stretch_of,
    write_preview,
)

MODELS = next(parameter.choices for parameter in DECLARATION.parameters if parameter.name == "model")


@pytest.fixture
def embedding():
    generator = np.random.default_rng(5)
    quantised = generator.integers(-127, 128, (60, 80, 16)).astype(np.int8)
    scales = generator.random((60, 80)).astype(np.float32) * 0.02 + 0.01
    scales[10:20, 30:40] = 0
    return quantised, scales


def test_the_stretch_is_linear_and_clipped():
    values = np.array([[-9, -0.5, 0.0], [0.5, 1.0, 9]], dtype=np.float32)
    assert brightness(values, Stretch((0.0, 0.0, 0.0), 1.0)).tolist() == [[0, 64, 128], [191, 255, 255]]


def test_the_same_value_has_the_same_colour_in_every_tile(embedding):
    quantised, scales = embedding
    left = preview_image(quantised[:, :40], scales[:, :40], "v2-nano", is_trained=True)
    whole = preview_image(quantised, scales, "v2-nano", is_trained=True)
    np.testing.assert_array_equal(np.asarray(left), np.asarray(whole)[:, :40])


def test_pixels_without_a_value_are_transparent(embedding):
    picture = np.asarray(preview_image(*embedding, "v1.1", is_trained=True))
    assert (picture[10:20, 30:40] == 0).all()
    assert (picture[:, :, 3] == 255).sum() == 60 * 80 - 100


@pytest.mark.parametrize("is_trained", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_its_stretch(model, is_trained):
    assert stretch_of(model, is_trained=is_trained).half_range > 0
    assert set(UNTRAINED_STRETCHES) == set(MODELS)


def test_an_untrained_picture_says_so_in_its_pixels_and_in_its_text(embedding, tmp_path):
    quantised, scales = embedding
    plain = np.asarray(preview_image(quantised, scales, "v2-nano", is_trained=True))
    marked = preview_image(quantised, np.zeros_like(scales), "v2-nano", is_trained=False)
    drawn = np.asarray(marked)[:, :, 3] > 0
    assert 20 < drawn.sum() < drawn.size / 3
    assert plain.shape == (60, 80, 4)
    write_preview(marked, tmp_path / "preview.png", {"Description": "Tessera v2-nano untrained"})
    with Image.open(tmp_path / "preview.png") as read_again:
        assert read_again.text["Description"].endswith("untrained")


def test_the_same_picture_gives_the_same_bytes(embedding, tmp_path):
    files = []
    for name in ("one.png", "two.png"):
        picture = preview_image(*embedding, "v2-nano", is_trained=False)
        write_preview(picture, tmp_path / name, {"Title": "grid_-4.55_54.15 2024"})
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
