"""Frozen dataclasses to and from plain data, and versioned JSON records with provenance."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import os
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from calibration.errors import InputError

T = TypeVar("T")

RECORD_FORMAT = "sim2real.record"
RECORD_VERSION = 1


def to_plain(value: object) -> Any:
    """Return dataclasses, tuples and mappings as dicts and lists that JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return [to_plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a record holds finite numbers only, got {value}")
    return value


def from_plain(kind: type[T], data: object, where: str) -> T:
    """Return `data`, made by `to_plain`, as a `kind` again.

    Args:
        kind: a dataclass, or a type made of dataclasses, tuples and plain values.
        data: plain data.
        where: named in errors, such as a file and a path in it.

    Raises:
        InputError: an unknown or missing field, or a value of another type.
    """
    return typing.cast(T, _convert(kind, data, where))


def _convert(kind: Any, data: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [o for o in typing.get_args(kind) if o is not type(None)]
        if data is None and len(options) < len(typing.get_args(kind)):
            return None
        for option in options[:-1]:
            try:
                return _convert(option, data, where)
            except InputError:
                continue
        return _convert(options[-1], data, where)
    if origin is typing.Literal:
        if data not in typing.get_args(kind):
            raise InputError(f"{where} must be one of {', '.join(map(str, typing.get_args(kind)))}, got {data!r}")
        return data
    if origin is Mapping or origin is dict:
        if not isinstance(data, Mapping):
            raise InputError(f"{where} must be a table, got {data!r}")
        value_kind = typing.get_args(kind)[1]
        return {str(k): _convert(value_kind, v, f"{where}.{k}") for k, v in data.items()}
    if origin is tuple:
        return _convert_tuple(typing.get_args(kind), data, where)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _convert_dataclass(kind, data, where)
    if kind is float and isinstance(data, int) and not isinstance(data, bool):
        return float(data)
    if kind is float and isinstance(data, float) and not math.isfinite(data):
        raise InputError(f"{where} must be finite, got {data}")
    if kind is Path and isinstance(data, str):
        return Path(data)
    if not isinstance(data, kind) or (kind in (int, float) and isinstance(data, bool)):
        raise InputError(f"{where} must be a {kind.__name__}, got {data!r}")
    return data


def _convert_tuple(args: tuple[Any, ...], data: object, where: str) -> tuple[object, ...]:
    if not isinstance(data, list | tuple):
        raise InputError(f"{where} must be a list, got {data!r}")
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_convert(args[0], v, f"{where}[{i}]") for i, v in enumerate(data))
    if len(args) != len(data):
        raise InputError(f"{where} must have {len(args)} values, got {len(data)}")
    return tuple(_convert(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, data, strict=True)))


def _convert_dataclass(kind: type, data: object, where: str) -> object:
    if not isinstance(data, Mapping):
        raise InputError(f"{where} must be a table, got {data!r}")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}
    for key in data:
        if key not in fields:
            close = difflib.get_close_matches(str(key), list(fields), 1, 0.5)
            meant = f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(fields)}"
            raise InputError(f"{where}: unknown key '{key}'{meant}")
    values = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _convert(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise InputError(f"{where}: missing key '{name}'")
    try:
        return kind(**values)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{where}: {error}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} must hold JSON, got: {error}") from None


def write_json(path: Path, value: object) -> None:
    """Write plain data or dataclasses as JSON, at once."""
    write_text(path, json.dumps(to_plain(value), indent=1, allow_nan=False) + "\n")


def write_record(path: Path, value: object, provenance: Mapping[str, object]) -> None:
    """Write a dataclass with its kind, version and provenance (who measured it, from what, when)."""
    content = {
        "format": RECORD_FORMAT,
        "version": RECORD_VERSION,
        "kind": type(value).__name__,
        "provenance": dict(provenance),
        "value": to_plain(value),
    }
    write_json(path, content)


def read_record(path: Path, kind: type[T]) -> T:
    """Return the dataclass that `write_record` wrote.

    Raises:
        InputError: no record, another version, another kind, or an unknown field; it names the file.
    """
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != RECORD_FORMAT:
        raise InputError(f"{path} must be a {RECORD_FORMAT} file")
    if data.get("version") != RECORD_VERSION:
        raise InputError(f"{path} must have version {RECORD_VERSION}, got {data.get('version')!r}")
    if data.get("kind") != kind.__name__:
        raise InputError(f"{path} must hold a {kind.__name__}, got a {data.get('kind')!r}")
    return from_plain(kind, data.get("value"), str(path))
