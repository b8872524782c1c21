"""The parts of a perception model in order, from the picture to the label: stem, stages by depth, parts of the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from policies.perception import PerceptionModel

# What comes before maps of this stride is the stem.
_FIRST_STRIDE = 4
_NET = "backbone.net"


@dataclass(frozen=True)
class Stage:
    """One part of a model.

    Attributes:
        name: "stem", "stage1", "stage2", ... or "head." and the name of a part of the head.
        modules: paths of its modules.
        parameters: names of its parameters, in the model's order.
        is_head: whether it belongs to the head.
    """

    name: str
    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    is_head: bool


def stages_of(model: PerceptionModel) -> tuple[Stage, ...]:
    """Return the parts of a model in order; each parameter belongs to exactly one.

    A stage of the backbone ends where timm takes a feature map. Modules between two maps belong to the later one, those
    after the last map to the last stage, and parameters outside any module, such as a position embedding, to the stem.
    """
    parts = [(name, paths, False) for name, paths in _backbone_parts(model)]
    parts += [
        (f"head.{name}", (f"head.{name}",), True)
        for name, child in model.head.named_children()
        if any(True for _ in child.parameters())
    ]
    first_head = next(k for k, part in enumerate(parts) if part[2])
    owners: list[list[str]] = [[] for _ in parts]
    for name, _ in model.named_parameters():
        under = [k for k, (_, paths, _) in enumerate(parts) if any(name.startswith(f"{p}.") for p in paths)]
        owners[under[0] if under else (first_head if name.startswith("head.") else 0)].append(name)
    return tuple(
        Stage(name, paths, tuple(owned), is_head)
        for (name, paths, is_head), owned in zip(parts, owners, strict=True)
        if owned
    )


def _backbone_parts(model: PerceptionModel) -> list[tuple[str, tuple[str, ...]]]:
    net = model.backbone.net
    strides = {_flat(d["module"]): int(d["reduction"]) for d in net.feature_info.info}
    stem: list[str] = []
    stages: list[list[str]] = []
    pending: list[str] = []
    for path in _units(net, list(strides)):
        stride = strides.get(_flat(path))
        has_parameters = any(True for _ in net.get_submodule(path).parameters())
        if stride is None:
            pending.append(path)
        elif stride < _FIRST_STRIDE:
            stem += [*pending, path]
            pending = []
        else:
            if not stages and has_parameters:
                stem += pending
                pending = []
            stages.append([*pending, path])
            pending = []
    if stages:
        stages[-1] += pending
    else:
        stem += pending
    parts = [stem, *stages] if stem else stages
    return [
        ("stem" if k == 0 else f"stage{k}", tuple(f"{_NET}.{path}" for path in paths)) for k, paths in enumerate(parts)
    ]


def _units(net: nn.Module, features: Sequence[str], prefix: str = "") -> list[str]:
    """Return paths of modules in order, opened up as far as needed to reach the ones that give feature maps."""
    found: list[str] = []
    for name, child in net.named_children():
        path = f"{prefix}{name}"
        flat = _flat(path)
        # Some of timm's extractors keep the whole model one level deeper.
        holds = name == "model" or any(f.startswith(f"{flat}_") for f in features)
        if holds and flat not in features and any(True for _ in child.children()):
            found += _units(child, features, f"{path}.")
        else:
            found.append(path)
    return found


def _flat(path: str) -> str:
    """Return a path as timm spells it where it takes stages out of their list."""
    return path.removeprefix("model.").replace(".", "_")
