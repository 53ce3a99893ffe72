"""The device that a network runs on, and what is its fault rather than the tile's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from contract.errors import BadInput, WorkerUnfit


def device_named(name: str) -> torch.device:
    """The device of that name; BadInput if there can be none, WorkerUnfit if this machine lacks it."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BadInput(f"there is no device {name!r}: choose cpu or cuda") from error
    if device.type not in ("cpu", "cuda"):
        raise BadInput(f"inference runs on cpu or cuda, not on {name!r}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise WorkerUnfit(f"device {name} was asked for, but torch {torch.__version__} finds no GPU here")
    return device


def device_class(device: torch.device) -> str:
    """Devices of one class give the same bytes: the GPU's model, or the instructions that torch uses of a CPU."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name} sm_{properties.major}{properties.minor}"
    return f"cpu {torch.backends.cpu.get_cpu_capability()}"


@contextmanager
def naming_device_faults(device: torch.device, model: str) -> Iterator[None]:
    """Turn the errors of a GPU that fails or is full into WorkerUnfit; all others pass."""
    try:
        yield
    except RuntimeError as error:
        # cuBLAS and others report through plain RuntimeErrors, known by their text alone.
        if not isinstance(error, torch.AcceleratorError | torch.OutOfMemoryError) and "CUDA" not in str(
            error
        ):
            raise
        raise WorkerUnfit(f"{model} failed on {device}: {error}") from error


def products_type(device: torch.device, dtype: str) -> torch.dtype:
    """The type of the matrix products: bf16 where it is asked for and the device multiplies it natively.

    Elsewhere (Turing GPUs, CPUs without AVX-512 BF16 or AMX) it would be emulated, slower than float32,
    which is within every tolerance that bf16 has.
    """
    if dtype != "bf16":
        return torch.float32
    if device.type == "cuda":
        is_native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        is_native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()  # noqa: SLF001
    return torch.bfloat16 if is_native else torch.float32
