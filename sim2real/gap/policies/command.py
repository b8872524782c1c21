"""`sim2real policy-gap`: measures policies in the source and at pretend stations, and writes one page and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from calibration.errors import InputError
from calibration.records import to_plain, write_json
from envs.standin.causes import CAUSES
from envs.standin.station import Station
from sim2real.environments import check_held_out
from sim2real.gap.policies.curves import SIZES, chosen_causes, curve_of, nothing_hidden, planted
from sim2real.gap.policies.kept import JSON
from sim2real.gap.policies.playing.actors import Actor, Contender, find_contenders
from sim2real.gap.policies.playing.pieces import Episodes, episodes_of
from sim2real.gap.policies.playing.strips import film
from sim2real.gap.policies.result import Measurement, Scene, SingleCauses, result_of, scene_of
from sim2real.gap.policies.table import Played, worst_station
from sim2real.gap.policies.telling.page import write_page
from sim2real.gap.policies.worst import causes_alone, loss_of_engine
from sim2real.policy_configs import PolicyGapConfig
from sim2real.progress import progress
from sim2real.runs import RunFolder

PAGE, EPISODES = "policy_gap.html", "episodes"


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
    played = _play(config, contenders, stations)
    first, actor = played[0][0], contenders[0].acting
    k = worst_station(first)
    single = _single_causes(config, actor, first, stations[k], causes, scene)
    strips = film(config, actor, stations[k], first.target[k])
    result = result_of(config, scene, Measurement(contenders, stations, played, single, strips))
    write_json(config.out / JSON, result)
    write_page(result, single.curves, strips, page)
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
    config: PolicyGapConfig, contenders: Sequence[Contender], stations: Sequence[Station]
) -> list[tuple[Played, Played | None]]:
    """Return episodes of every policy at every place, as it acts and with the true state where it has an eye."""
    places: list[Station | None] = [None, *stations]
    ways = [way for c in contenders for way in (c.acting, c.knowing) if way is not None]
    with _player(config, "policies", len(ways) * len(places), config.episodes) as play:

        def everywhere(number: int, one: Actor) -> Played:
            name = f"policy{number}-{one.sight.replace(' ', '-')}"
            source = play(one, None, f"{name}-source")
            return Played(source, tuple(play(one, s, f"{name}-station{s.seed}") for s in stations))

        return [
            (everywhere(k, c.acting), None if c.knowing is None else everywhere(k, c.knowing))
            for k, c in enumerate(contenders)
        ]


def _single_causes(
    config: PolicyGapConfig, actor: Actor, first: Played, worst: Station, causes: Sequence[str], scene: Scene
) -> SingleCauses:
    """Return curves of the causes, what each cause of the worst station costs alone, and what is lost without any."""
    nowhere = nothing_hidden()
    points = [p for p in dict.fromkeys(planted(c, size) for c in causes for size in SIZES) if p != nowhere]
    hidden: dict[str, Any] = to_plain(worst.hidden(scene.rig, scene.nominal)) if config.worst else {}
    if actor.sight == "true state":
        hidden = {cause: values for cause, values in hidden.items() if CAUSES[cause].of == "moving"}
    if not points and not hidden:
        return SingleCauses((), (), None)
    with _player(config, "single causes", 1 + len(points) + len(hidden), config.curve_episodes) as play:
        nothing = play(actor, nowhere, "nothing-hidden")
        at = {nowhere: nothing, **{p: play(actor, p, f"curve{k}") for k, p in enumerate(points)}}
        there = causes_alone(worst, hidden, lambda s, c: play(actor, s, f"worst-{c.replace(' ', '-')}"), nothing)
    curves = []
    for cause in causes:
        values = to_plain(planted(cause, SIZES[-1]).hidden(scene.rig, scene.nominal).get(cause, {}))
        curves.append(curve_of(cause, {size: at[planted(cause, size)] for size in SIZES}, values))
    return SingleCauses(curves, there, loss_of_engine(first.source, nothing))


@contextmanager
def _player(
    config: PolicyGapConfig, title: str, pieces: int, episodes: int
) -> Iterator[Callable[[Actor, Station | None, str], Episodes]]:
    """Give what plays a policy at a place under a name, with a bar over all pieces."""
    done = 0
    with progress(title, pieces * episodes, "episodes") as advance:

        def play(one: Actor, station: Station | None, name: str) -> Episodes:
            nonlocal done
            file = config.out / EPISODES / f"{name}.json"
            found = episodes_of(config, one, station, episodes, file, lambda n: advance(done + n))
            done += episodes
            return found

        yield play
