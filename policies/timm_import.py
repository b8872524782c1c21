"""Import timm where torchvision's compiled operators cannot be loaded."""

from __future__ import annotations

from types import ModuleType

# A torchvision wheel built for CUDA beside a CPU build of torch cannot load its operators and then fails to
# import, although timm's models use none of them. Declaring the two that it registers at import is enough.
_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[object] = []


def import_timm() -> ModuleType:
    """Return the module timm."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error) or _declared:
            raise
        import torch

        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            library.define(f"{name}{_BOXES}")  # type: ignore[no-untyped-call]
        _declared.append(library)
    import timm

    return timm
