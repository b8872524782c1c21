"""Whether one comparison, such as on held-out simulation, orders methods as another one does on photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.records import read_json
from sim2real.advice.transferability.ranking import rank_agreement

FORMAT = "sim2real.sweep"
FEWEST = 3
Method = tuple[str, str, int]


def read_sweep(folder: Path) -> dict[str, Any]:
    """Return what a finished comparison stored.

    Raises:
        InputError: no finished comparison there.
    """
    path = folder / "sweep.json"
    if not path.is_file():
        raise InputError(f"a comparison must be a folder of sim2real sweep with sweep.json, got {folder}")
    found: dict[str, Any] = read_json(path)
    if found.get("format") != FORMAT:
        raise InputError(f"{path} must be of format {FORMAT}, got {found.get('format')}")
    return found


def agreement(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return how well the first comparison's order of methods tells the second's, as plain data.

    Methods are matched by chain, strategy and number of labels; of a model that nothing was done to, the row with the
    camera that the methods start from. Two orders are compared: of methods without labels, and of all. Beside the rank
    correlations stands what following the advice would cost: the error, in the second comparison, of the method that
    the first one puts first, less the lowest error there.

    Raises:
        InputError: fewer than three methods that both scored, or scores in other units.
    """
    units = {r["unit"] for s in (first, second) for r in s["rows"] if "mean" in r}
    if len(units) > 1:
        raise InputError(f"two comparisons must have one unit, got {' and '.join(sorted(units))}")
    ours, theirs = _means(first["rows"]), _means(second["rows"])
    both = [m for m in ours if m in theirs]
    if len(both) < FEWEST:
        raise InputError(f"two comparisons must share at least {FEWEST} methods, got {len(both)}")
    label_free = [m for m in both if m[2] == 0]
    return {
        "first": {"rig": first["rig"], "frames": first["real"]},
        "second": {"rig": second["rig"], "frames": second["real"]},
        "label_free": _compare(label_free, ours, theirs) if len(label_free) >= FEWEST else None,
        "all": _compare(both, ours, theirs),
    }


def sentence(found: dict[str, Any]) -> str:
    """Return the agreement in one line a reader can act on."""
    parts = []
    for key, name in (("label_free", "label-free methods"), ("all", "all methods")):
        part = found[key]
        if part is None or (rho := part["spearman_rho"]) is None:
            continue
        parts.append(
            f"{name} ({part['methods']}): Spearman {rho['value']:.2f} [{rho['low']:.2f}, {rho['high']:.2f}], "
            f"{part['chosen']} would be chosen, {100 * part['regret']:.2f} cm above the best ({part['best']})"
        )
    return f"order on {found['first']['frames']} against {found['second']['frames']}: " + "; ".join(parts)


def _means(rows: Sequence[dict[str, Any]]) -> dict[Method, float]:
    """Return mean errors by method, of the camera that methods start from: aligned, where it could be."""
    aligned = any(r["camera"] == "aligned" for r in rows)
    camera = "aligned" if aligned else "published"
    return {(r["chain"], r["strategy"], r["budget"]): r["mean"] for r in rows if "mean" in r and r["camera"] == camera}


def _compare(methods: list[Method], ours: dict[Method, float], theirs: dict[Method, float]) -> dict[str, Any]:
    found = rank_agreement([ours[m] for m in methods], [theirs[m] for m in methods])
    chosen, best = min(methods, key=lambda m: ours[m]), min(methods, key=lambda m: theirs[m])
    tau, rho = found.kendall_tau_b, found.spearman_rho
    return {
        "methods": len(methods),
        "kendall_tau_b": asdict(tau) if tau else None,
        "spearman_rho": asdict(rho) if rho else None,
        "chosen": _name(chosen),
        "best": _name(best),
        "regret": theirs[chosen] - theirs[best],
        "errors": {_name(m): [ours[m], theirs[m]] for m in methods},
    }


def _name(method: Method) -> str:
    chain, strategy, budget = method
    return f"{chain}, {strategy} on {budget}" if budget else chain
