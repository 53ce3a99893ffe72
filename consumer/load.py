"""How busy this machine is: CPU, memory and GPU, for the heartbeat."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

import psutil

from consumer.gpus import ask_driver

GPU_QUERY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Load:
    """One look at the machine."""

    cpu_percent: float
    """Of all cores of the machine, since the last look."""
    memory_bytes: int
    """Of this process, resident."""
    gpu_percent: float | None
    """Busy share of this worker's GPU; None where there is none."""


class LoadMeter:
    """Looks when asked."""

    def __init__(self, gpu: str = "") -> None:
        """`gpu`: index or UUID as in CUDA_VISIBLE_DEVICES; empty: the machine's first."""
        self._gpu = gpu or "0"
        self._process = psutil.Process()
        self._nvidia_smi = shutil.which("nvidia-smi")
        psutil.cpu_percent(interval=None)  # the first call only starts the measurement

    def look(self) -> Load:
        return Load(
            cpu_percent=psutil.cpu_percent(interval=None),
            memory_bytes=self._process.memory_info().rss,
            gpu_percent=self._gpu_percent(),
        )

    def _gpu_percent(self) -> float | None:
        if self._nvidia_smi is None:
            return None
        query = ("--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", f"--id={self._gpu}")
        try:
            answer = ask_driver(self._nvidia_smi, query, GPU_QUERY_SECONDS)
            return float(answer.stdout.strip())
        except (OSError, subprocess.SubprocessError, ValueError):
            return None
