"""The command line: parse, call, print one line, set the exit code."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tomllib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from sim2real.command_list import COMMANDS

# Those that read their own words: module and function.
_PARSED_THERE = {
    "calibrate": ("sim2real.calibrate.command", "calibrate"),
    "advise": ("sim2real.advice.command", "command"),
    "policy-gap": ("sim2real.gap.policies.command", "command"),
    "benchmark": ("sim2real.benchmarks.command", "command"),
}
# Those with a folder of their own, whose settings are read before anything large is loaded: folder, settings, function.
_FOLDERS = {
    "leave-out": ("sim2real.gap.leave_out", "LeaveOutConfig", "leave_out"),
    "diagnose": ("sim2real.gap.diagnosis", "DiagnoseConfig", "run"),
}
# Flags that may be left out before the first words of a command.
_POSITIONAL = {"compare": ("--first", "--second"), "gate": ("--result",)}
_ADAPTATION_COMMANDS = ("adapt", "finetune", "continual", "describe", "sweep")
_POLICY_COMMANDS = ("train", "distill", "tune", "rollout", "export")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 for what the user can mend, 1 for our own faults, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        _print(_help())
        return 0 if words else 2
    if words[0] == "--version":
        from sim2real import __version__

        _print(__version__)
        return 0
    name, rest = words[0].replace("_", "-"), words[1:]
    if name not in COMMANDS:
        return _fail(f"command must be one of {', '.join(COMMANDS)}, got '{words[0]}'")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return _run(name, rest)
    except InputError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("interrupted; rerun with --resume to go on", 130)
    except OSError as error:
        if error.filename is None and error.errno is None:
            traceback.print_exc()
            return 1
        where = f" ({error.filename})" if error.filename else ""
        return _fail(f"{error.strerror or error}{where}")
    except Exception:  # noqa: BLE001 - the one place where our own faults end
        traceback.print_exc()
        return 1


def _run(name: str, words: list[str]) -> int:
    if name in _PARSED_THERE:
        module, function = _PARSED_THERE[name]
        line, status = getattr(importlib.import_module(module), function)(words, _parse)
        _print(line)
        return int(status)
    if name in _FOLDERS:
        folder, settings, function = _FOLDERS[name]
        config = _parse(name, getattr(importlib.import_module(f"{folder}.configs"), settings), words)
        if config is not None:
            _print(getattr(importlib.import_module(f"{folder}.command"), function)(config))
        return 0
    from sim2real import adaptation_configs, configs, policy_configs

    place: Any = policy_configs if name in _POLICY_COMMANDS else configs
    place = adaptation_configs if name in _ADAPTATION_COMMANDS else place
    kind = getattr(place, f"{name.capitalize()}Config")
    for k, flag in enumerate(_POSITIONAL.get(name, ())):
        if len(words) > 2 * k and not words[2 * k].startswith("-"):
            words = [*words[: 2 * k], flag, *words[2 * k :]]
    config = _parse(name, kind, words)
    if config is None:
        return 0
    # Waiting threads that spin would take the cores from the processes that draw frames.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return _call(name, config)


def _parse(name: str, kind: type[Any], words: list[str]) -> Any:
    """Return the command's config: `--config FILE` first, flags win. None after `--help`."""
    import tyro

    default = None
    if "--config" in words:
        at = words.index("--config")
        if at + 1 >= len(words):
            raise InputError("--config needs a TOML file")
        default = _read_config(kind, Path(words[at + 1]))
        words = words[:at] + words[at + 2 :]
    given = {word.split("=")[0].removeprefix("--").replace("-", "_") for word in words if word.startswith("--")}
    try:
        if default is None:
            return tyro.cli(kind, prog=f"sim2real {name}", args=words, use_underscores=False)
        missing = [
            f.name for f in fields(kind) if f.default is MISSING and f.name not in default and f.name not in given
        ]
        if missing:
            raise InputError(f"--{missing[0].replace('_', '-')} is needed, on the command line or in --config")
        blank = {f.name: _placeholder(f.type) for f in fields(kind) if f.default is MISSING}
        start = replace(kind(**blank), **default)
        return tyro.cli(kind, prog=f"sim2real {name}", args=words, default=start, use_underscores=False)
    except SystemExit as stop:
        if stop.code in (0, None):
            return None
        raise


def _placeholder(annotation: object) -> Any:
    blank: dict[str, Any] = {"int": 0, "Path": Path(), "str": ""}
    return blank.get(str(annotation), ())


def _read_config(kind: type[Any], path: Path) -> dict[str, Any]:
    from calibration.records import from_plain

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read --config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path} must be TOML: {error}") from None
    data = {key.replace("-", "_"): value for key, value in data.items()}
    blanks: dict[str, Any] = {"int": 0, "tuple[Path, ...]": []}
    blank = {f.name: blanks.get(str(f.type), "") for f in fields(kind) if f.default is MISSING}
    checked = from_plain(kind, {**blank, **data}, str(path))
    return {key: getattr(checked, key) for key in data}


def _info(config: Any) -> int:
    from sim2real.info import info_lines

    _print("\n".join(info_lines()))
    return 0


def _evaluate(config: Any) -> int:
    from sim2real.evaluate import evaluate

    summary: Any = evaluate(config)
    pair = summary["interval"]
    interval = "" if pair is None else f" [{pair[0]:.4f}, {pair[1]:.4f}]"
    _print(
        f"{summary['quantity']}: mean error {summary['mean']:.4f} m{interval}, "
        f"median {summary['median']:.4f} m, {summary['frames']} frames of {summary['real']}, "
        f"camera {summary['camera']}{_trust(summary['reliability'])}; {config.json}"
    )
    return 0


def _trust(told: Any) -> str:
    if told is None:
        return ""
    text = f"; abstains on {len(told['abstained'])}"
    if told["radius_m"] is not None:
        text += (
            f", {told['within_radius']} of {told['answered']} others within {told['radius_m']:.4f} m, the radius for "
            f"{100 * told['level']:g} %"
        )
    return text


def _sweep(config: Any) -> int:
    from sim2real.sweep.command import sweep

    _print(sweep(config))
    return 0


def _gap(config: Any) -> int:
    from sim2real.gap import commands

    line, status = getattr(commands, type(config).__name__.removesuffix("Config").lower())(config)
    _print(line)
    return int(status)


def _get(config: Any) -> int:
    from sim2real.registry import get

    _print(f"photographs: {get(config.name, config.out, config.base_url)}")
    return 0


def _report(config: Any) -> int:
    from sim2real.report import load_result, write_report

    result = config.result / "transfer.json" if config.result.is_dir() else config.result
    out = config.out or result.parent / "report"
    _print(f"report: {write_report(load_result(result), out, config.images, base=result.parent)}")
    return 0


# What a command is in: sim2real.NAME.NAME. It returns what is printed after the word.
_WORDS = {
    "preview": "sheet: ",
    "collect": "data set: ",
    "axes": "page: ",
    "pretrain": "model: ",
    "adapt": "model: ",
    "finetune": "model: ",
    "continual": "",
    "transfer": "report: ",
    "train": "policy: ",
    "distill": "policy: ",
    "tune": "policy: ",
    "rollout": "",
    "export": "",
    "describe": "",
    "demo": "report: ",
}
# Those that say more.
_ACTIONS: dict[str, Callable[[Any], int]] = {
    "info": _info,
    "evaluate": _evaluate,
    "get": _get,
    "sweep": _sweep,
    "gap": _gap,
    "compare": _gap,
    "gate": _gap,
    "report": _report,
}


def _call(name: str, config: Any) -> int:
    if name in _ACTIONS:
        return _ACTIONS[name](config)
    command = getattr(importlib.import_module(f"sim2real.{name}"), name)
    _print(f"{_WORDS[name]}{command(config)}")
    return 0


def _help() -> str:
    lines = [f"  {name:<10} {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: sim2real COMMAND [options]   (sim2real COMMAND --help lists the options)",
            "",
            "Train a perception model in simulation, adapt it on a few real photographs, measure the transfer.",
            "",
            *lines,
            "",
            "Every command reads defaults from --config FILE (TOML); flags win.",
        ]
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(message: str, status: int = 2) -> int:
    one_line = " ".join(message.split())
    sys.stderr.write(f"sim2real: {one_line}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
