import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from envs.rendering import gpu_device
from envs.rendering.gpu.context import is_software
from envs.rendering.gpu_device import has_gpu


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    has_gpu.cache_clear()
    yield
    has_gpu.cache_clear()


def answering(text: str, code: int = 0) -> Any:
    calls: list[Any] = []

    def run(*args: Any, **settings: Any) -> Any:
        calls.append(args)
        return SimpleNamespace(stdout=text, returncode=code)

    run.calls = calls  # type: ignore[attr-defined]
    return run


@pytest.mark.parametrize(
    ("name", "software"),
    [
        ("llvmpipe (LLVM 15.0.6, 256 bits)", True),
        ("softpipe", True),
        ("Google SwiftShader", True),
        ("NVIDIA H100 80GB HBM3/PCIe/SSE2", False),
        ("Mesa Intel(R) Graphics (ADL GT2)", False),
        ("AMD Radeon Graphics (radeonsi, renoir, LLVM 15.0.6)", False),
    ],
)
def test_software_drivers_are_no_gpu(monkeypatch: pytest.MonkeyPatch, name: str, software: bool) -> None:
    assert is_software(name) == software
    run = answering(f"{name}\n")
    monkeypatch.setattr(gpu_device, "missing", lambda: None)
    monkeypatch.setattr(gpu_device.subprocess, "run", run)
    assert has_gpu() == (not software)
    assert has_gpu() == (not software)
    assert len(run.calls) == 1


def test_nothing_is_started_where_opengl_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = answering("NVIDIA")
    monkeypatch.setattr(gpu_device, "missing", lambda: "libEGL is missing")
    monkeypatch.setattr(gpu_device.subprocess, "run", run)
    assert not has_gpu()
    assert not run.calls


def test_a_driver_that_crashes_or_hangs_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_device, "missing", lambda: None)
    monkeypatch.setattr(gpu_device.subprocess, "run", answering("NVIDIA", -11))
    assert not has_gpu()

    def hang(*args: Any, **settings: Any) -> Any:
        raise subprocess.TimeoutExpired("python", 30.0)

    has_gpu.cache_clear()
    monkeypatch.setattr(gpu_device.subprocess, "run", hang)
    assert not has_gpu()


def test_asking_here_neither_fails_nor_loads_a_driver() -> None:
    code = "import sys; from envs.rendering.gpu_device import has_gpu; print(has_gpu(), 'moderngl' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() in (["True", "False"], ["False", "False"])
