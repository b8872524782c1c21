"""A ledger of drawn worlds: one line of JSON each, that gives the world back bit for bit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import GenericAlias, TracebackType
from typing import Any

from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.records import from_plain, to_plain
from calibration.rig import Rig
from calibration.world import WorldParams, changed_values, paths, with_values
from sim2real.randomization import RandomizationSpec

FORMAT = "sim2real-ledger"
VERSION = 1
_ENTRY = re.compile(rb'^\{"index": (\d+), ')
_HEADER_KEYS = {"format", "version", "rig", "spec", "seed", "nominal"}
_ENTRY_KEYS = {"index", "noise_seed", "values"}


def spec_text(spec: RandomizationSpec) -> str:
    """Return all that a spec says, a line for each channel and group, every number in full."""
    return "\n".join([spec.name, *map(repr, (*spec.channels, *spec.correlations, *spec.shared))])


def ledger_header(rig: Rig, spec: RandomizationSpec, seed: int) -> dict[str, Any]:
    """Return the first line of a ledger: what the worlds were drawn from, and the world that they differ from."""
    described = {k: v for k, v in to_plain(rig).items() if k != "folder"}
    text = spec_text(spec)
    return {
        "format": FORMAT,
        "version": VERSION,
        "rig": {"name": rig.name, "sha256": _hash(json.dumps(described, sort_keys=True))},
        "spec": {"name": spec.name, "sha256": _hash(text), "text": text},
        "seed": seed,
        "nominal": to_plain(nominal_world(rig)),
    }


class LedgerWriter:
    """Appends worlds to a ledger. What was written is never changed; half a line, left by a crash, is cut off."""

    def __init__(self, path: Path, rig: Rig, spec: RandomizationSpec, seed: int) -> None:
        """Open a new ledger, or go on with one of the same rig, spec and seed.

        Raises:
            InputError: no ledger, or one of another rig, spec or seed.
        """
        header = ledger_header(rig, spec, seed)
        self._nominal = nominal_world(rig)
        self._known = paths(self._nominal)
        try:
            self._file = path.open("ab")
        except OSError as error:
            raise InputError(f"cannot write ledger {path}: {error.strerror}") from None
        whole = path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(whole)
        if not whole:
            self._append(header)
            return
        try:
            found = Ledger(path).header
            for key in ("rig", "spec", "seed", "nominal"):
                if found[key] != json.loads(json.dumps(header[key])):
                    raise InputError(f"ledger {path} was begun with another {key}; choose another file")
        except InputError:
            self._file.close()
            raise

    def write(self, index: int, world: WorldParams) -> None:
        """Append a world under its number.

        Raises:
            ValueError: a world with other bodies, joints or lamps than the rig's.
        """
        changed = changed_values(world, self._known)
        self._append({"index": index, "noise_seed": world.noise_seed, "values": changed})

    def close(self) -> None:
        """Bring everything to the disk and close; twice is fine."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def _append(self, value: dict[str, Any]) -> None:
        self._file.write(json.dumps(value, allow_nan=False).encode() + b"\n")
        self._file.flush()

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Ledger:
    """Reads a ledger.

    Attributes:
        header: the first line.
        truncated: whether the last line is cut off, as a crash leaves it; that line is not read.
    """

    def __init__(self, path: Path) -> None:
        """Read the header and where each world is.

        Raises:
            InputError: no ledger, another version, or a line that is none; it names file and line.
        """
        self._path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot read ledger {path}: {error.strerror}") from None
        lines = data.split(b"\n")
        self.truncated = bool(lines.pop())
        if not lines:
            raise InputError(f"ledger {path} has no whole line; it must begin with a header")
        self.header = self._parse(lines[0], 1)
        if self.header.get("format") != FORMAT:
            raise InputError(f"{path}, line 1: format must be {FORMAT}, got {self.header.get('format')!r}")
        if self.header.get("version") != VERSION:
            raise InputError(f"{path}, line 1: version must be {VERSION}, got {self.header.get('version')!r}")
        self._check_keys(self.header, _HEADER_KEYS, 1)
        self._nominal = from_plain(WorldParams, self.header["nominal"], f"{path}, line 1: nominal")
        self._known = paths(self._nominal)
        self._lines: dict[int, tuple[int, bytes]] = {}
        for number, line in enumerate(lines[1:], 2):
            match = _ENTRY.match(line)
            if match is None:
                raise InputError(f"{path}, line {number}: must begin with the index of a world, got {line[:40]!r}")
            self._lines[int(match.group(1))] = (number, line)

    @property
    def indices(self) -> list[int]:
        """Numbers of the worlds, in the order in which they were first written."""
        return list(self._lines)

    def read(self, index: int) -> WorldParams:
        """Return a world, equal bit for bit to the one that was written.

        Raises:
            KeyError: no world of this number.
            InputError: a line that does not describe a world of this version; it names file and line.
        """
        values, noise_seed = self._entry(index)
        return dataclasses.replace(with_values(self._nominal, values), noise_seed=noise_seed)

    def changes(self, index: int) -> dict[str, Any]:
        """Return only the values that differ from the nominal world; errors as for `read`."""
        return self._entry(index)[0]

    def column(self, path: str) -> list[Any]:
        """Return one value of every world, in the order of `indices`.

        Raises:
            KeyError: the world has no such path.
        """
        nominal = self._known[path]
        return [self._entry(index)[0].get(path, nominal) for index in self._lines]

    def where(self, path: str, low: float, high: float) -> list[int]:
        """Return the numbers of the worlds whose scalar at `path` lies within `low` to `high`."""
        return [k for k, value in zip(self._lines, self.column(path), strict=True) if low <= value <= high]

    def __iter__(self) -> Iterator[tuple[int, WorldParams]]:
        """Yield number and world of every line."""
        return ((index, self.read(index)) for index in self._lines)

    def __len__(self) -> int:
        """Return how many worlds there are."""
        return len(self._lines)

    def _entry(self, index: int) -> tuple[dict[str, Any], int]:
        number, line = self._lines[index]
        entry = self._parse(line, number)
        self._check_keys(entry, _ENTRY_KEYS, number)
        values = {p: self._value(p, v, number) for p, v in entry["values"].items()}
        return values, from_plain(int, entry["noise_seed"], f"{self._path}, line {number}: noise_seed")

    def _value(self, path: str, value: Any, number: int) -> Any:
        where = f"{self._path}, line {number}: {path}"
        if path not in self._known:
            raise InputError(f"{where}: the world has no such value; was it written by another version?")
        nominal = self._known[path]
        vector = isinstance(nominal, tuple)
        kind: Any = GenericAlias(tuple, (float,) * len(nominal)) if vector else type(nominal)
        return from_plain(kind, value, where)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except ValueError as error:
            raise InputError(f"{self._path}, line {number}: must be JSON: {error}") from None
        if not isinstance(value, dict):
            raise InputError(f"{self._path}, line {number}: must be an object, got {type(value).__name__}")
        return value

    def _check_keys(self, value: dict[str, Any], keys: set[str], number: int) -> None:
        if set(value) != keys:
            other = ", ".join(sorted(set(value) ^ keys))
            expected = ", ".join(sorted(keys))
            raise InputError(f"{self._path}, line {number}: fields must be {expected}; unknown or missing: {other}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
