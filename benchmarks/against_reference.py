"""Our engine beside the public reference, interleaved, on one synthetic tile with the same weights.

    git clone https://github.com/ucam-eo/tessera /tmp/ref
    python benchmarks/against_reference.py --reference /tmp/ref --model v1.1

Cube in memory to int8 in memory. One thread each, CPU time, so that other work on the machine shows as
little as can be; with --both-cores wall time, two processes of ours against two threads of its. The
reference runs through its own functions at its best batch size of three. Nothing of it is contained here.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from consumer.imagery.cube import Cube
from consumer.recipes.tessera.engine import Engine
from consumer.recipes.tessera.models import Dimensions
from consumer.recipes.tessera.synthetic import synthetic_cube
from consumer.recipes.tessera.untrained import untrained_weights
from consumer.recipes.tessera.weights import load_weights

Result = tuple[np.ndarray, np.ndarray]
BATCHES = (64, 192, 384)
PIXELS = {"v1.1": 384, "v2-nano": 1536, "v2-small": 768, "v2-medium": 384, "v2-large": 384}
WIDTH = 32


def main() -> None:
    options = parsed_options()
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, tile = Path(folder) / "checkpoint.pt", Path(folder) / "tile"
        dimensions = save_checkpoint(checkpoint, options.model)
        cube = synthetic_cube((options.pixels or PIXELS[options.model]) // WIDTH, WIDTH)
        cube.save(tile)
        reference = reference_runner(options.reference, checkpoint, tile, dimensions)
        if options.both_cores:
            compare_on_both_cores(options, checkpoint, cube, reference)
        else:
            compare_on_one_thread(options, checkpoint, cube, reference)


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="a checkout of ucam-eo/tessera")
    parser.add_argument("--model", choices=list(PIXELS), default="v1.1")
    parser.add_argument("--pixels", type=int, help="of the tile; a multiple of 32")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--both-cores", action="store_true")
    parser.add_argument("--skip-fp32", action="store_true", help="leave out the reference as shipped")
    return parser.parse_args()


def save_checkpoint(path: Path, model: str) -> Dimensions:
    """Seeded weights in the container that the model's published files have."""
    weights = untrained_weights(model)
    size, state = weights.dimensions, dict(weights.state)
    if size.family == "v1.1":
        torch.save({"model_state": state, "config": {"latent_dim": size.width // 4}}, path)
    else:
        settings = {
            "latent_dim": size.width // 4,
            "num_layers": size.optical.layers,
            "nhead": size.optical.heads,
            "dim_feedforward": size.optical.feedforward,
        }
        torch.save({"model": state, "args": settings}, path)
    return size


def reference_runner(
    folder: Path, checkpoint: Path, tile: Path, dimensions: Dimensions
) -> Callable[..., Result]:
    """(batch size, autocast=whether under bf16 autocast) -> int8 and scales."""
    loaded = (first_generation if dimensions.family == "v1.1" else student)(folder, checkpoint, tile)

    def run(batch: int, *, autocast: bool) -> Result:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16) if autocast else nullcontext():
            return loaded(batch)

    return run


def first_generation(folder: Path, checkpoint: Path, tile: Path) -> Callable[[int], Result]:
    sys.path.insert(0, str(folder / "tessera_infer_QAT" / "src"))
    import infer_v1_1 as entry

    config = entry.load_config(folder / "tessera_infer_QAT" / "configs" / "v1_1_infer_config.py")
    model = entry.build_v1_1_inference_model(config, torch.device("cpu"))
    missing, unexpected, _ = entry.load_v1_1_checkpoint(model, str(checkpoint))
    if missing or unexpected:
        sys.exit(f"the reference does not take our checkpoint: {missing or unexpected}")
    model.eval()

    def run(batch_size: int) -> Result:
        dataset = entry.SingleTileInferenceDatasetV1_1(tile_path=str(tile), config=config)
        sampler = entry.BucketBatchSampler(dataset, batch_size=batch_size)
        quantised = np.zeros((dataset.H, dataset.W, config["save_embedding_dim"]), dtype=np.int8)
        scales = np.zeros((dataset.H, dataset.W), dtype=np.float32)
        for batch in DataLoader(dataset, batch_sampler=sampler, collate_fn=entry._collate):  # noqa: SLF001
            embedding = model(batch["s2"], batch["s1"])[:, : quantised.shape[2]].float()
            codes, scale = entry.quantize_tensor_symmetric_per_row(embedding, bits=8)
            at = batch["i"].numpy(), batch["j"].numpy()
            quantised[at], scales[at] = codes.numpy(), scale.numpy().reshape(-1)
        return quantised, scales

    return run


def student(folder: Path, checkpoint: Path, tile: Path) -> Callable[[int], Result]:
    sys.path.insert(0, str(folder / "tessera_infer_v2"))
    import infer_v2 as entry

    models, inference = entry._load_bundle("student")  # noqa: SLF001
    import quantize

    model = models.load_model(str(checkpoint), torch.device("cpu"))
    arrays = entry.load_tile(str(tile))

    def run(batch_size: int) -> Result:
        embedding = inference.encode_tile(
            model, **arrays, batch_pixels=batch_size, device=torch.device("cpu")
        )
        return quantize.quantize(embedding)

    return run


def compare_on_one_thread(options: Any, checkpoint: Path, cube: Cube, reference: Any) -> None:
    weights = load_weights(checkpoint, options.model)
    ours = {dtype: Engine(weights, dtype=dtype, threads=1) for dtype in ("bf16", "fp32")}
    modes = (
        {"bf16 autocast": True} if options.skip_fp32 else {"as shipped (fp32)": False, "bf16 autocast": True}
    )
    cases: dict[str, Callable[[], Result]] = {}
    for name, engine in ours.items():
        cases[f"ours {name}"] = lambda engine=engine: of_engine(engine, cube)
    for name, autocast in modes.items():
        batch = best_batch(reference, autocast=autocast)
        cases[f"reference {name}, batch {batch}"] = lambda a=autocast, b=batch: reference(b, autocast=a)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    results = {name: case() for name, case in cases.items()}  # warm-up
    for _ in range(options.pairs):
        for name, case in cases.items():
            seconds[name].append(cpu_seconds(case))
    report(cube, seconds, results)


def best_batch(reference: Any, *, autocast: bool) -> int:
    """By one timed run of each size after a warm-up."""
    reference(BATCHES[0], autocast=autocast)
    return min(BATCHES, key=lambda batch: cpu_seconds(lambda: reference(batch, autocast=autocast)))


def cpu_seconds(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def of_engine(engine: Engine, cube: Cube) -> Result:
    embedding = engine.infer(cube)
    return embedding.quantised, embedding.scales


def report(cube: Cube, seconds: dict[str, list[float]], results: dict[str, Result]) -> None:
    pixels = cube.height * cube.width
    for name, measured in seconds.items():
        print(f"{name}: {pixels / statistics.median(measured):.1f} pixels per CPU-second")
    exact = next((result for name, result in results.items() if "fp32)" in name), None)
    for ours in (name for name in seconds if name.startswith("ours")):
        for theirs in (name for name in seconds if name.startswith("reference")):
            ratios = [b / a for a, b in zip(seconds[ours], seconds[theirs], strict=True)]
            print(
                f"{ours} against {theirs}: {statistics.median(ratios):.2f}x (median of {len(ratios)}, "
                f"{min(ratios):.2f}-{max(ratios):.2f})"
            )
        if exact is not None:
            print(f"{ours}: {(results[ours][0] == exact[0]).mean():.2%} of int8 as the reference's fp32")


def compare_on_both_cores(options: Any, checkpoint: Path, cube: Cube, reference: Any) -> None:
    """Wall time: it is the cores' waiting for each other that is compared."""
    context = get_context("spawn")
    halves = [slice(0, cube.height // 2), slice(cube.height // 2, cube.height)]
    pipes, slots = [], []
    for rows in halves:
        here, there = context.Pipe()
        slots.append(
            context.Process(target=slot, args=(there, checkpoint, options.model, part_of(cube, rows)))
        )
        slots[-1].start()
        here.recv()
        pipes.append(here)
    torch.set_num_threads(2)
    batch = min(BATCHES, key=lambda size: wall_seconds(lambda: reference(size, autocast=True)))
    ratios, rates = [], []
    for _ in range(options.pairs):
        ours = wall_seconds(lambda: [pipe.send("go") for pipe in pipes] and [pipe.recv() for pipe in pipes])
        theirs = wall_seconds(lambda: reference(batch, autocast=True))
        ratios.append(theirs / ours)
        rates.append(cube.height * cube.width / ours)
    for pipe, process in zip(pipes, slots, strict=True):
        pipe.send(None)
        process.join()
    print(f"ours, two one-thread processes: {statistics.median(rates):.1f} pixels/s")
    print(
        f"against reference bf16 autocast, two threads, batch {batch}: {statistics.median(ratios):.2f}x "
        f"(median of {len(ratios)}, {min(ratios):.2f}-{max(ratios):.2f})"
    )


def slot(pipe: Any, checkpoint: Path, model: str, cube: Cube) -> None:
    engine = Engine(load_weights(checkpoint, model), dtype="bf16", threads=1)
    engine.infer(cube)
    pipe.send("ready")
    while pipe.recv() is not None:
        engine.infer(cube)
        pipe.send("done")


def part_of(cube: Cube, rows: slice) -> Cube:
    arrays = {name: getattr(cube, name) for name in cube.__dataclass_fields__}
    return Cube(**{name: array[:, rows] if array.ndim > 1 else array for name, array in arrays.items()})


def wall_seconds(work: Callable[[], Any]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


if __name__ == "__main__":
    main()
