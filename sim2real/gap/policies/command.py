"""`sim2real policy-gap`: measures policies in the source and at pretend stations, and writes one page and JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from envs.standin.station import Station
from sim2real.environments import check_held_out
from sim2real.gap.policies.curves import SIZES, Curve, chosen_causes, curve_of, planted
from sim2real.gap.policies.page import write_page
from sim2real.gap.policies.playing.actors import Actor, Contender, find_contenders
from sim2real.gap.policies.playing.pieces import Episodes, episodes_of
from sim2real.gap.policies.playing.strips import film
from sim2real.gap.policies.result import Measurement, Scene, result_of, scene_of
from sim2real.gap.policies.table import Played, worst_station
from sim2real.policy_configs import PolicyGapConfig
from sim2real.progress import progress
from sim2real.runs import RunFolder

JSON, PAGE, EPISODES = "policy_gap.json", "policy_gap.html", "episodes"


def command(words: list[str], parse: Callable[[str, type[Any], list[str]], Any]) -> tuple[str, int]:
    """Run the command; return what it prints and the exit status.

    Args:
        words: of the command line.
        parse: returns the settings, given the command's name, their type and the words; None after --help.
    """
    config = parse("policy-gap", PolicyGapConfig, words)
    return ("", 0) if config is None else (f"gap: {policy_gap(config)}", 0)


def policy_gap(config: PolicyGapConfig) -> Path:
    """Measure and return the page; `policy_gap.json` lies beside it, and the episodes in a folder.

    Raises:
        InputError: bad settings or policies; nothing is written then.
    """
    _check(config)
    causes = chosen_causes(config.curves)
    check_held_out(config.env)
    contenders = find_contenders(config)
    stations = [Station(k, config.difficulty) for k in range(config.stations)]
    scene = scene_of(config)
    run = RunFolder.create(config.out, config, config.resume)
    page = config.out / PAGE
    if run.finished:
        return page
    played, points = _play(config, contenders, stations, causes)
    curves = [_curve(cause, config, points, scene) for cause in causes]
    first = played[0][0]
    k = worst_station(first)
    strips = film(config, contenders[0].acting, stations[k], first.target[k])
    result = result_of(config, scene, Measurement(contenders, stations, played, curves, strips))
    write_json(config.out / JSON, result)
    write_page(result, curves, strips, page)
    run.finish({"page": str(page), "policies": len(contenders)})
    return page


def _check(config: PolicyGapConfig) -> None:
    for name, value, least in (
        ("stations", config.stations, 1),
        ("episodes", config.episodes, 2),
        ("curve-episodes", config.curve_episodes, 2),
        ("seed", config.seed, 0),
    ):
        if value < least:
            raise InputError(f"--{name} must be {least} or more, got {value}")


def _play(
    config: PolicyGapConfig, contenders: Sequence[Contender], stations: Sequence[Station], causes: Sequence[str]
) -> tuple[list[tuple[Played, Played | None]], dict[Station, Episodes]]:
    """Return episodes of every policy at every place, and of the first at the points of the curves."""
    ways = sum(1 if c.knowing is None else 2 for c in contenders)
    points = list(dict.fromkeys(planted(cause, size) for cause in causes for size in SIZES))
    total = ways * (1 + len(stations)) * config.episodes + len(points) * config.curve_episodes
    done = 0
    with progress("policy gap", total, "episodes") as advance:

        def play(one: Actor, station: Station | None, count: int, name: str) -> Episodes:
            nonlocal done
            file = config.out / EPISODES / f"{name}.json"
            found = episodes_of(config, one, station, count, file, lambda n: advance(done + n))
            done += count
            return found

        def everywhere(number: int, one: Actor) -> Played:
            name = f"policy{number}-{one.sight.replace(' ', '-')}"
            source = play(one, None, config.episodes, f"{name}-source")
            target = [play(one, s, config.episodes, f"{name}-station{s.seed}") for s in stations]
            return Played(source, tuple(target))

        played = [
            (everywhere(k, c.acting), None if c.knowing is None else everywhere(k, c.knowing))
            for k, c in enumerate(contenders)
        ]
        first = contenders[0].acting
        at = {point: play(first, point, config.curve_episodes, f"curve{k}") for k, point in enumerate(points)}
    return played, at


def _curve(cause: str, config: PolicyGapConfig, points: dict[Station, Episodes], scene: Scene) -> Curve:
    hidden = planted(cause, SIZES[-1]).hidden(scene.rig, scene.nominal)
    return curve_of(cause, {size: points[planted(cause, size)] for size in SIZES}, to_plain(hidden.get(cause, {})))
