import subprocess
import sys
from dataclasses import fields

import pytest

from consumer.recipes.tessera.declaration import DECLARATION
from consumer.recipes.tessera.models import MODELS
from consumer.recipes.tessera.settings import TesseraSettings
from contract.errors import BadInput
from contract.recipe import find_recipe


def test_the_producer_finds_the_recipe_without_torch_and_gdal():
    script = (
        "import sys\n"
        "from contract.recipe import find_recipe\n"
        "find_recipe('tessera').resolve({'model': 'v2-nano'})\n"
        "heavy = {'torch', 'rasterio', 'numpy', 'pyproj'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_entry_point_names_this_declaration():
    assert find_recipe("tessera") is DECLARATION


def test_every_model_that_the_engine_knows_can_be_asked_for():
    model = next(parameter for parameter in DECLARATION.parameters if parameter.name == "model")
    assert set(model.choices) == set(MODELS)


def test_settings_and_declaration_name_the_same_parameters():
    assert {field.name for field in fields(TesseraSettings)} == {
        parameter.name for parameter in DECLARATION.parameters
    }


def test_defaults_are_upstreams_production_values():
    settings = TesseraSettings.of({})
    assert (settings.model, settings.source, settings.resolution) == ("v1.1", "mpc", 10.0)
    assert (settings.max_cloud, settings.min_optical_coverage, settings.min_radar_coverage) == (
        100,
        0.01,
        0.01,
    )


def test_what_cannot_change_a_byte_is_no_part_of_the_dataset():
    free = {parameter.name for parameter in DECLARATION.parameters if not parameter.changes_result}
    assert free == {"max_lost_percent", "download_threads", "keep_cubes"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"resolution": "9"}, "resolution=9 must be at least 10"),
        ({"resolution": "nan"}, "resolution=nan"),
        ({"model": "v3"}, "model='v3' is not one of v1.1"),
        ({"dtype": "fp16"}, "dtype='fp16'"),
        ({"resolutoin": "10"}, "did you mean resolution"),
    ],
)
def test_a_wrong_parameter_is_named(values, sentence):
    with pytest.raises(BadInput, match=sentence):
        DECLARATION.resolve(values)


def test_a_dataset_of_a_newer_release_is_not_guessed_at():
    with pytest.raises(BadInput, match="no parameter tiling"):
        TesseraSettings.of({"tiling": 3})
