"""Models and policies as ONNX, with what they differ from torch and how long both take."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from sim2real.policy_configs import ExportConfig
from sim2real.runs import system_info

_TURNS = 50


def export(config: ExportConfig) -> str:
    """Write model.onnx and export.json, and return what was found in a line.

    Raises:
        InputError: nothing to export there, a folder that exists, packages that are missing, or an ONNX model that does
            not do what torch does; it is kept for a look then.
    """
    if config.out.exists():
        raise InputError(f"output folder must be new, got {config.out}; choose another --out")
    try:
        import onnx  # noqa: F401 - torch needs it
        import onnxruntime
    except ImportError as error:
        raise InputError(f"export needs {error.name}: pip install 'sim2real[export]'") from None
    import torch

    from policies.onnx_modules import exportable

    torch.set_num_threads(config.threads)
    found = exportable(config.model)
    config.out.mkdir(parents=True)
    path = config.out / "model.onnx"
    names, inputs = list(found.inputs), tuple(found.inputs.values())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            found.module,
            inputs,
            str(path),
            input_names=names,
            output_names=list(found.outputs),
            dynamic_axes={name: {0: "batch"} for name in (*names, *found.outputs)},
            opset_version=17,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = config.threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # A batch of another size too, so that nothing of the example is built in.
    worst = max(_difference(found.module, session, _repeated(found.inputs, k)) for k in (1, 3))
    single = {name: value[:1] for name, value in found.inputs.items()}
    given = _numpy(session, single)
    with torch.no_grad():
        torch_ms = _latency_ms(lambda: found.module(*single.values()))
    onnx_ms = _latency_ms(lambda: session.run(None, given))
    record = {
        "kind": found.kind,
        "model": str(config.model),
        "inputs": {
            name: {"shape": ["batch", *v.shape[1:]], "dtype": str(v.dtype)[6:]} for name, v in found.inputs.items()
        },
        "outputs": list(found.outputs),
        "largest_relative_difference_from_torch": worst,
        "latency_ms": {"onnxruntime": round(onnx_ms, 3), "torch": round(torch_ms, 3)},
        "latency_is": f"median of {_TURNS} calls with one input each, CPU, {config.threads} threads",
        "system": system_info(),
    }
    write_json(config.out / "export.json", to_plain(record))
    if worst > config.tolerance:
        raise InputError(
            f"the ONNX model must do what torch does within {config.tolerance:g}, but differs by {worst:.2g}: {path}"
        )
    return (
        f"{path}: {found.kind}, differs from torch by {worst:.1e} of the largest output; "
        f"{onnx_ms:.2f} ms a call, torch {torch_ms:.2f} ms"
    )


def _repeated(inputs: dict[str, Any], times: int) -> dict[str, Any]:
    return {name: value.repeat(times, *([1] * (value.dim() - 1))) for name, value in inputs.items()}


def _numpy(session: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    # What the model does not use is no input of it.
    known = {i.name for i in session.get_inputs()}
    return {name: value.numpy() for name, value in inputs.items() if name in known}


def _difference(module: Any, session: Any, inputs: dict[str, Any]) -> float:
    import numpy as np
    import torch

    with torch.no_grad():
        wanted = module(*inputs.values())
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    worst = 0.0
    for a, b in zip(wanted, session.run(None, _numpy(session, inputs)), strict=True):
        largest = max(float(a.abs().max()), 1e-6)
        worst = max(worst, float(np.abs(a.numpy() - b).max()) / largest)
    return worst


def _latency_ms(call: Callable[[], object]) -> float:
    for _ in range(5):
        call()
    times = []
    for _ in range(_TURNS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return 1e3 * median(times)
