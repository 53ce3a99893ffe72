"""What the producer needs to know of Tessera: its name and parameters, without torch or GDAL."""

from __future__ import annotations

from contract.recipe import Parameter, RecipeDeclaration

CODE_VERSION = "2"
"""Raise it with every change that gives other bytes for the same imagery and weights."""

DECLARATION = RecipeDeclaration(
    name="tessera",
    summary="Tessera embeddings of one calendar year of Sentinel-1 and Sentinel-2, 128 numbers per pixel",
    code="consumer.recipes.tessera.recipe:TesseraRecipe",
    code_version=CODE_VERSION,
    collections=("sentinel-2-l2a", "sentinel-1-rtc"),
    parameters=(
        Parameter(
            name="model",
            default="v1.1",
            help="which network: the published v1.1, or one of the smaller v2 students",
            choices=("v1.1", "v2-nano", "v2-small", "v2-medium", "v2-large"),
        ),
        Parameter(
            name="source",
            default="mpc",
            help="whose conventions the catalogue follows: Planetary Computer (mpc) or Earth Search (aws); "
            "the v1.1 weights are trained for one of them",
            choices=("mpc", "aws"),
        ),
        Parameter(
            name="resolution",
            default=10.0,
            help="edge of a pixel in metres; 10 is what the models were trained on",
            minimum=10,
            maximum=1000,
        ),
        Parameter(
            name="dtype",
            default="fp32",
            help="arithmetic of the network; bf16 is faster on recent hardware and differs in the last bits",
            choices=("fp32", "bf16"),
        ),
        Parameter(
            name="max_cloud",
            default=100.0,
            help="leave out Sentinel-2 scenes whose stated cloud cover (percent) is not below this; "
            "lower values make seams between tiles",
            minimum=0,
            maximum=100,
        ),
        Parameter(
            name="min_optical_coverage",
            default=0.01,
            help="skip a day on which less than this share (percent) of the land is seen cloud-free",
            minimum=0,
            maximum=100,
        ),
        Parameter(
            name="min_radar_coverage",
            default=0.01,
            help="skip a Sentinel-1 scene that covers less than this share (percent) of the land",
            minimum=0,
            maximum=100,
        ),
        # The shipped coast is drawn at 1:10,000,000, where a pen's width is some hundred metres, while
        # the published masks follow a finer one. Half a kilometre keeps nearly every beach and pier that
        # the coarse line cuts off; it costs inference over a strip of shallow water.
        Parameter(
            name="coast_margin_metres",
            default=500.0,
            help="how far beyond the coastline of the boundaries the land mask reaches",
            minimum=0,
            maximum=10000,
        ),
        Parameter(
            name="max_lost_percent",
            default=1.0,
            help="more scenes than this share (percent) missing or unreadable: the tile waits for its source",
            minimum=0,
            maximum=100,
            changes_result=False,
        ),
        Parameter(
            name="download_threads",
            default=32,
            help="files of one tile's imagery that are under way at a time; fewer while a host throttles",
            minimum=1,
            maximum=128,
            changes_result=False,
        ),
        Parameter(
            name="cubes",
            default="",
            help="a collection of prepared cubes that another tool made, on the workers' disks, to use "
            "instead of imagery; none by default",
            pattern=r"[a-z0-9][a-z0-9._-]{0,40}",
        ),
        # 30 is the longest that a rule of infra/storage/lifecycle.json lets them lie.
        Parameter(
            name="keep_cubes",
            default=0,
            help="days for which prepared cubes are stored, so that other models and later attempts read no "
            "imagery; a land tile at 10 m takes 1 to 3 GB",
            minimum=0,
            maximum=30,
            changes_result=False,
        ),
    ),
)
