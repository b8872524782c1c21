"""timm is imported beside any build of torchvision, and other errors are not hidden."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from policies import timm_import
from policies.timm_import import import_timm


def fail_torchvision(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = builtins.__import__

    def fake(name: str, *args: Any, **options: Any) -> ModuleType:
        if name == "torchvision":
            raise error
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", fake)


def test_same_module_every_time() -> None:
    first = import_timm()
    assert first is import_timm()
    assert first.__name__ == "timm"
    assert "test_resnet" in first.list_models()


def test_policies_leave_timm_alone_until_it_is_needed() -> None:
    code = "import sys, policies.backbone; sys.exit('timm' in sys.modules or 'torchvision' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_operators_are_declared_for_a_torchvision_that_lacks_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    declared: list[str] = []

    class Library:
        def __init__(self, *args: object) -> None:
            assert args == ("torchvision", "DEF")

        def define(self, schema: str) -> None:
            declared.append(schema.partition("(")[0])

    monkeypatch.setattr(timm_import, "_declared", [])
    monkeypatch.setattr(torch.library, "Library", Library)
    fail_torchvision(monkeypatch, RuntimeError("operator torchvision::nms does not exist"))
    assert import_timm().__name__ == "timm"
    assert declared == ["nms", "qnms"]
    assert timm_import._declared, "a library that is collected takes its operators with it"


@pytest.mark.parametrize(
    "error", [RuntimeError("CUDA driver is too old"), ImportError("no torchvision"), OSError("libpng")]
)
def test_other_errors_pass(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_import, "_declared", [])
    fail_torchvision(monkeypatch, error)
    with pytest.raises(type(error), match=str(error)):
        import_timm()
    assert timm_import._declared == []


def test_operators_are_declared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_import, "_declared", [object()])
    fail_torchvision(monkeypatch, RuntimeError("operator torchvision::nms does not exist"))
    with pytest.raises(RuntimeError, match="torchvision::nms"):
        import_timm()
