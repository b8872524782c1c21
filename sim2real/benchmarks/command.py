"""`sim2real benchmark`: measurements of this project, most of them beside a peer on the same machine."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from sim2real.benchmarks.config import BenchmarkConfig


def command(words: list[str], parse: Callable[[str, type[Any], list[str]], Any]) -> tuple[str, int]:
    """Run the command `sim2real benchmark`; return its figures as text, and the exit status."""
    config: BenchmarkConfig | None = parse("benchmark", BenchmarkConfig, words)
    if config is None:
        return "", 0
    module = importlib.import_module(f"sim2real.benchmarks.{config.what}")
    return str(module.benchmark(config)), 0
