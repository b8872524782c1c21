"""The result of a transfer run as typed values, read from JSON with checks that name the place of a fault."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from calibration.errors import InputError

FORMAT = "sim2real.transfer"
VERSION = 1
REAL = "real photographs"
SIMULATED = "held-out simulation"
_NEXT_STEP = "write the file again with `sim2real transfer`"


@dataclass(frozen=True)
class Node:
    """One JSON object together with its place in the file, so that a message can name it.

    Args:
        values: the object's fields.
        place: path inside the document, such as `rows[3]`; empty for the document itself.
        source: name of the file or "result" for a value in memory.
    """

    values: Mapping[str, object]
    place: str
    source: str

    def _name(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def _fault(self, key: str, expected: str) -> InputError:
        got = repr(self.values[key])[:80] if key in self.values else "nothing"
        return InputError(f"{self._name(key)} must be {expected}, got {got} ({self.source}); {_NEXT_STEP}")

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string field; `default` stands in for a missing or null one.

        Raises:
            InputError: the field is of another type, or is missing and has no default.
        """
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise self._fault(key, "text")
        return value

    def one_of(self, key: str, choices: Sequence[str]) -> str:
        """Return a string field that is one of `choices`."""
        value = self.values.get(key)
        if not isinstance(value, str) or value not in choices:
            raise self._fault(key, " or ".join(repr(choice) for choice in choices))
        return value

    def number(self, key: str) -> float | None:
        """Return a finite number; None for a missing, null, NaN or infinite one, which means not measured."""
        value = self.values.get(key)
        if value is not None and not _is_number(value):
            raise self._fault(key, "a number or null")
        return finite(value)

    def count(self, key: str) -> int:
        """Return a whole number of 0 or more."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._fault(key, "a whole number of 0 or more")
        return value

    def count_or_none(self, key: str) -> int | None:
        """Return a whole number of 0 or more, or None where the field is missing or null."""
        return None if self.values.get(key) is None else self.count(key)

    def numbers(self, key: str) -> tuple[float | None, ...]:
        """Return a list of numbers, None where one is not finite; empty for a missing or null list."""
        value = self._list(key)
        if not all(item is None or _is_number(item) for item in value):
            raise self._fault(key, "a list of numbers")
        return tuple(finite(item) for item in value)

    def pair(self, key: str) -> tuple[float, float] | None:
        """Return two finite numbers, or None where the field is missing, null or not finite."""
        values = self.numbers(key)
        if len(values) not in (0, 2):
            raise self._fault(key, "two numbers or null")
        if len(values) == 0 or values[0] is None or values[1] is None:
            return None
        return values[0], values[1]

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings; empty for a missing or null list."""
        value = self._list(key)
        strings = tuple(item for item in value if isinstance(item, str))
        if len(strings) != len(value):
            raise self._fault(key, "a list of texts")
        return strings

    def node(self, key: str, *, required: bool = False) -> Node:
        """Return a nested object; an empty one for a missing or null field unless it is required."""
        value = self.values.get(key)
        if value is None and not required:
            value = {}
        if not isinstance(value, Mapping):
            raise self._fault(key, "an object")
        return Node(value, self._name(key), self.source)

    def nodes(self, key: str, *, required: bool = False) -> tuple[Node, ...]:
        """Return a list of objects; empty for a missing or null field unless it is required."""
        value = self._list(key)
        missing = required and self.values.get(key) is None
        if missing or not all(isinstance(item, Mapping) for item in value):
            raise self._fault(key, "a list of objects")
        items = (item for item in value if isinstance(item, Mapping))
        return tuple(Node(item, f"{self._name(key)}[{i}]", self.source) for i, item in enumerate(items))

    def _list(self, key: str) -> Sequence[object]:
        value = self.values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            raise self._fault(key, "a list")
        return value


@dataclass(frozen=True)
class Quantity:
    """What is estimated: its components, the unit of the file and the unit shown to a reader."""

    name: str
    components: tuple[str, ...]
    unit: str
    display_unit: str
    display_scale: float
    frame: str


@dataclass(frozen=True)
class Row:
    """The error of one method with one number of labelled frames, in the unit of the file."""

    method: str
    key: str
    budget: int
    selection: str
    mean: float | None
    median: float | None
    p90: float | None
    interval: tuple[float, float] | None
    confidence: float | None
    frames: int | None
    runs: int | None
    seeds: tuple[object, ...]
    note: str


@dataclass(frozen=True)
class Prediction:
    """One prediction on one frame; positions in the unit of the file, pixels in the original picture."""

    file: str
    key: str
    budget: int
    truth: tuple[float | None, ...]
    prediction: tuple[float | None, ...]
    error: float | None
    truth_px: tuple[float, float] | None
    prediction_px: tuple[float, float] | None
    visible: str


@dataclass(frozen=True)
class Result:
    """A checked result; `root` keeps the parts that are shown as they are."""

    title: str
    target: str
    quantity: Quantity
    rows: tuple[Row, ...]
    predictions: tuple[Prediction, ...]
    root: Node


def finite(value: object) -> float | None:
    """Return a number as a float, and None for anything that is not a finite number."""
    if not _is_number(value):
        return None
    number = float(value)  # type: ignore[arg-type]  # _is_number has checked it
    return number if math.isfinite(number) else None


def parse_result(result: Mapping[str, object], source: str = "result") -> Result:
    """Return the typed result of a transfer run.

    Args:
        result: the JSON document, format `sim2real.transfer`, version 1.
        source: what a message calls the document, usually the file's name.

    Raises:
        InputError: the format or version is another one, a required field is missing or of the wrong type,
            or a row is in another unit than the quantity.
    """
    root = Node(result, "", source)
    root.one_of("format", (FORMAT,))
    version = result.get("version")
    if version != VERSION or isinstance(version, bool):
        raise InputError(
            f"version must be {VERSION}, got {version!r} ({source}); install the sim2real that wrote the file"
        )
    quantity = _quantity(root.node("quantity", required=True))
    return Result(
        title=root.text("title"),
        target=root.one_of("target", (REAL, SIMULATED)),
        quantity=quantity,
        rows=tuple(_row(node, quantity) for node in root.nodes("rows", required=True)),
        predictions=tuple(_prediction(node) for node in root.nodes("predictions")),
        root=root,
    )


def _quantity(node: Node) -> Quantity:
    scale = node.number("display_scale")
    if scale is None or scale <= 0.0:
        raise InputError(
            f"quantity.display_scale must be a positive number, got {node.values.get('display_scale')!r} "
            f"({node.source}); it is the factor from {node.text('unit')} to {node.text('display_unit')}"
        )
    return Quantity(
        name=node.text("name"),
        components=node.texts("components"),
        unit=node.text("unit"),
        display_unit=node.text("display_unit"),
        display_scale=scale,
        frame=node.text("frame", ""),
    )


def _row(node: Node, quantity: Quantity) -> Row:
    if node.values.get("unit") is not None:
        node.one_of("unit", (quantity.unit,))
    seeds = node.values.get("seeds")
    return Row(
        method=node.text("method"),
        key=node.text("key"),
        budget=node.count("budget"),
        selection=node.text("selection"),
        mean=node.number("mean"),
        median=node.number("median"),
        p90=node.number("p90"),
        interval=node.pair("interval"),
        confidence=node.number("confidence"),
        frames=node.count_or_none("frames"),
        runs=node.count_or_none("runs"),
        seeds=tuple(seeds) if isinstance(seeds, list | tuple) else (),
        note=node.text("note", ""),
    )


def _prediction(node: Node) -> Prediction:
    return Prediction(
        file=node.text("file"),
        key=node.text("key"),
        budget=node.count("budget"),
        truth=node.numbers("truth"),
        prediction=node.numbers("prediction"),
        error=node.number("error"),
        truth_px=node.pair("truth_px"),
        prediction_px=node.pair("prediction_px"),
        visible=node.text("visible", ""),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
