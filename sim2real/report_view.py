"""Everything the report's template shows, made from a checked result: text, figures, tiles and lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from sim2real import report_text as words_of
from sim2real.figures import agreement, error_curve, loss_curves, position_scatter
from sim2real.report_data import Node, Prediction, Quantity, Result, Row, finite
from sim2real.report_images import (
    MOST_TILES,
    SHEET_WIDTH_PX,
    Picture,
    Tile,
    load_picture,
    make_tile,
    worst_first,
)

WORST = 6
_LOSS_POINTS = 300


@dataclass(frozen=True)
class TableRow:
    """One row of the table, every cell as text."""

    method: str
    budget: int
    selection: str
    mean: str
    interval: str
    median: str
    p90: str
    frames: str
    runs: str
    note: str


@dataclass(frozen=True)
class Group:
    """The frames of one method, worst first, and where its predictions lie in the label frame."""

    heading: str
    method: str
    worst: tuple[Tile, ...]
    rest: tuple[Tile, ...]
    not_shown: int
    without_picture: int
    positions: Markup
    drawn: int


@dataclass(frozen=True)
class Pairs:
    """Truth and prediction of one method, each (N, 1) or (N, 2), in the display unit."""

    truth: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.float64]


def page(result: Result, images: Path | None, base: Path) -> dict[str, object]:
    """Return the variables of the template.

    Args:
        result: the checked result.
        images: folder that the names of the frames are relative to; None for a page without pictures.
        base: folder that the contact sheet's path is relative to.
    """
    numbers = words_of.Numbers(result)
    root, quantity = result.root, result.quantity
    data, preview = root.node("data"), root.text("preview", "")
    lines = words_of.curve_lines(result)
    axes = _widest_components(quantity, result.predictions)
    return {
        "title": result.title,
        "target": result.target,
        "words": words_of.Words.of(result.target),
        "numbers": numbers,
        "quantity": quantity,
        "headline": words_of.headline(result, numbers),
        "remarks": words_of.remarks(result, numbers),
        "figures": words_of.key_figures(result, numbers),
        "facts": _facts(result),
        "curves": [
            Markup(error_curve(lines, quantity.name, quantity.display_unit, narrow=narrow))
            for narrow in (False, True)
            if lines
        ],
        "rows": [_table_row(row, numbers, result) for row in words_of.best_first(result.rows)],
        "groups": _groups(result, images, axes),
        "has_images": images is not None,
        "axes": [quantity.components[i] for i in axes],
        "randomization": [
            {key: _shown(node.values.get(key)) for key in ("target", "how", "distribution")}
            for node in root.nodes("randomization")
        ],
        "preview": preview,
        "sheet": _sheet(preview, base),
        "split": _split(data.node("split")),
        "warnings": words_of.split_remarks(result),
        "left_out": _reasons(data.nodes("left_out")),
        "faulty": _reasons(data.nodes("faulty")),
        "pretraining": [_pretraining_row(node) for node in root.nodes("pretraining")],
        "loss": _loss(root.nodes("pretraining")),
        "system": [(key.replace("_", " "), _shown(value)) for key, value in root.node("system").values.items()],
        "commands": root.texts("commands"),
    }


def _facts(result: Result) -> list[tuple[str, str]]:
    root, quantity, data = result.root, result.quantity, result.root.node("data")
    frame = f", {quantity.frame} frame" if quantity.frame else ""
    facts = [
        ("judged on", result.target),
        ("rig", root.text("rig", "")),
        ("quantity", f"{quantity.name}: {', '.join(quantity.components)}{frame}"),
        ("data", data.text("folder", "")),
        ("created", root.node("system").text("created", "")),
    ]
    frames = data.count_or_none("frames")
    if frames is not None:
        folder = data.text("folder", "")
        facts[3] = ("data", f"{folder}, {words_of.count(frames, 'frame')}".removeprefix(", "))
    return [(name, value) for name, value in facts if value]


def _table_row(row: Row, numbers: words_of.Numbers, result: Result) -> TableRow:
    interval = numbers.interval(row.interval)
    if interval and row.confidence is not None and len({other.confidence for other in result.rows}) > 1:
        interval += f" {words_of.percent(row.confidence)}"
    return TableRow(
        method=row.method,
        budget=row.budget,
        selection=row.selection,
        mean=numbers.bare(row.mean),
        interval=interval,
        median=numbers.bare(row.median),
        p90=numbers.bare(row.p90),
        frames=_shown(row.frames),
        runs=_shown(row.runs),
        note=row.note,
    )


def _groups(result: Result, images: Path | None, axes: Sequence[int]) -> list[Group]:
    """Return the frames of the best label-free row and of the largest fine-tuning budget."""
    if not result.predictions:
        return []
    words = words_of.Words.of(result.target)
    free, tuned = words_of.label_free(result), words_of.adapted(result)
    chosen = [(f"Without a {words.label}", row) for row in free[:1]]
    if tuned is not None:
        chosen.append((f"After {words_of.count(tuned.budget, 'labelled frame')}", tuned))
    drawn = [_pairs(_of_row(result, row), result.quantity, axes) for _, row in chosen]
    return [
        _group(heading, row, result, images, _drawing(i, drawn, result.quantity, axes), len(drawn[i].truth))
        for i, (heading, row) in enumerate(chosen)
    ]


def _of_row(result: Result, row: Row) -> list[Prediction]:
    return [item for item in result.predictions if (item.key, item.budget) == (row.key, row.budget)]


def _group(heading: str, row: Row, result: Result, images: Path | None, positions: Markup, drawn: int) -> Group:
    files = worst_first(_of_row(result, row))
    tiles = [make_tile(group, images) for group in files[:MOST_TILES]]
    return Group(
        heading=heading,
        method=row.method,
        worst=tuple(tiles[:WORST]),
        rest=tuple(tiles[WORST:]),
        not_shown=len(files) - len(tiles),
        without_picture=sum(tile.picture is None for tile in tiles),
        positions=positions,
        drawn=drawn,
    )


def _widest_components(quantity: Quantity, predictions: Sequence[Prediction]) -> list[int]:
    """Return the places of the components to draw: all of one or two, else the two with the widest truth."""
    indices = range(len(quantity.components))
    if len(indices) <= 2:
        return list(indices)
    spans = []
    for i in indices:
        values = [value for item in predictions for value in item.truth[i : i + 1] if value is not None]
        spans.append(max(values) - min(values) if values else 0.0)
    return sorted(sorted(indices, key=lambda i: -spans[i])[:2])


def _pairs(predictions: Sequence[Prediction], quantity: Quantity, axes: Sequence[int]) -> Pairs:
    """Return the pairs of truth and prediction that are complete; none where the shapes do not fit."""
    pairs = []
    for item in predictions:
        if len(item.truth) == len(item.prediction) == len(quantity.components):
            pair = [[values[i] for i in axes] for values in (item.truth, item.prediction)]
            if None not in pair[0] + pair[1]:
                pairs.append(pair)
    values = np.asarray(pairs, dtype=np.float64).reshape(-1, 2, len(axes)) * quantity.display_scale
    return Pairs(values[:, 0], values[:, 1])


def _drawing(index: int, drawn: Sequence[Pairs], quantity: Quantity, axes: Sequence[int]) -> Markup:
    """Return the figure of one method on axes that hold all of them; empty without anything to draw."""
    pairs, names, unit = drawn[index], [quantity.components[i] for i in axes], quantity.display_unit
    name = f"positions-{index}"
    if len(pairs.truth) == 0 or not names:
        return Markup()
    if len(names) == 1:
        return Markup(agreement(pairs.truth[:, 0], pairs.predicted[:, 0], names[0], unit, name=name))
    also = np.vstack([part for other in drawn for part in (other.truth, other.predicted)])
    components = (names[0], names[1])
    return Markup(
        position_scatter(pairs.truth, pairs.predicted, components, unit, name=name, frame=quantity.frame, also=also)
    )


def _sheet(preview: str, base: Path) -> Picture | None:
    return load_picture(base, preview, SHEET_WIDTH_PX) if preview else None


def _split(node: Node) -> dict[str, object]:
    return {
        "rule": node.text("rule", ""),
        "sha256": node.text("sha256", ""),
        "lists": [("training", node.texts("train")), ("test", node.texts("test"))],
    }


def _reasons(nodes: Sequence[Node]) -> list[tuple[str, str]]:
    return [(node.text("file"), node.text("reason", "no reason given")) for node in nodes]


def _pretraining_row(node: Node) -> dict[str, str]:
    rate = node.number("frames_per_s")
    return {
        "seed": _shown(node.values.get("seed")),
        "backbone": node.text("backbone", "not stated"),
        "weights": node.text("weights", "not stated"),
        "frames": _shown(node.count_or_none("frames")),
        "time": words_of.duration(node.number("seconds")),
        "rate": words_of.NOT_MEASURED if rate is None else f"{rate:.1f}",
    }


def _loss(nodes: Sequence[Node]) -> Markup:
    curves = {}
    for node in nodes:
        steps = node.values.get("loss")
        points = [
            (step, value)
            for pair in (steps if isinstance(steps, list | tuple) else ())
            if isinstance(pair, list | tuple) and len(pair) == 2
            if (step := finite(pair[0])) is not None and (value := finite(pair[1])) is not None
        ]
        if points:
            curves[f"seed {_shown(node.values.get('seed'))}"] = points[:: -(-len(points) // _LOSS_POINTS)]
    return Markup(loss_curves(curves)) if curves else Markup()


def _shown(value: object) -> str:
    """Return a value as text; null is `none`, and a number that is not finite was not measured."""
    if isinstance(value, float) and finite(value) is None:
        return words_of.NOT_MEASURED
    return "none" if value is None else str(value)
