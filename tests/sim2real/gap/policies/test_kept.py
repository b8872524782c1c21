"""Comparison and limits of policies, from result files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calibration.errors import InputError
from sim2real.cli import main
from sim2real.gap.policies.compare import compare_policies
from sim2real.gap.policies.drop import change
from sim2real.gap.policies.kept import read_policies
from sim2real.gap.policies.limits import check_success, read_success_limits
from sim2real.gap.protocol import Protocol


def protocol(episodes: int = 40, rule: str = "source nominal; 3 mild stations") -> Protocol:
    return Protocol(
        "held-out simulation",
        "success rate",
        rule,
        environment="sim2real/PandaPush-v0",
        episode_seeds=tuple(range(episodes)),
        step_limit=50,
    )


def bits(successes: int, of: int = 40) -> str:
    return "1" * successes + "0" * (of - successes)


def write(folder: Path, kept: Protocol, **policies: tuple[int, ...]) -> Path:
    """Write a result with successes of each policy in the source and at the stations."""
    folder.mkdir()
    rows = [
        {"name": n, "source": {"successes": bits(first)}, "stations": [{"successes": bits(k)} for k in others]}
        for n, (first, *others) in policies.items()
    ]
    data: dict[str, Any] = {"format": "sim2real.policy_gap", "protocol": kept.to_plain(), "policies": rows}
    (folder / "policy_gap.json").write_text(json.dumps(data))
    return folder


def test_successes_are_read_back(tmp_path: Path) -> None:
    found = read_policies(write(tmp_path / "a", protocol(), push=(40, 30, 20)))
    assert found.protocol == protocol()
    assert (found.source["push"].sum(), found.target["push"].shape) == (40, (2, 40))
    assert found.target["push"].sum(axis=1).tolist() == [30, 20]
    (tmp_path / "other.json").write_text('{"format": "sim2real.gap"}')
    with pytest.raises(InputError, match=r"must have format sim2real\.policy_gap, got sim2real\.gap"):
        read_policies(tmp_path / "other.json")


def test_the_better_policy_is_told_and_chance_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "a", protocol(), push=(40, 20, 22, 21), slow=(40, 9, 10, 9))
    second = write(tmp_path / "b", protocol(), push=(40, 33, 34, 33), slow=(40, 10, 9, 10), new=(1, 1, 1, 1))
    rows = compare_policies(read_policies(first), read_policies(second))
    assert [(r.policy, r.verdict) for r in rows] == [("push", "better"), ("slow", "no difference")]
    assert rows[0].difference.value == pytest.approx((100 - 63) / 120)
    assert main(["compare", str(first), str(second), "--json", str(tmp_path / "c.json")]) == 0
    assert "| push | 52 [" in capsys.readouterr().out
    kept = json.loads((tmp_path / "c.json").read_text())
    assert kept["policies"][0]["verdict"] == "better"
    assert kept["protocol"]["sha256"] == protocol().sha256


def test_single_policies_are_compared_and_other_protocols_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = write(tmp_path / "a", protocol(), push=(40, 20)), write(tmp_path / "b", protocol(), tuned=(40, 30))
    assert compare_policies(read_policies(one), read_policies(other))[0].policy == "push / tuned"
    elsewhere = write(tmp_path / "c", protocol(rule="source nominal; 3 hard stations"), push=(40, 20))
    assert main(["compare", str(one), str(elsewhere)]) == 2
    assert "must be of one protocol to be compared, got rule" in capsys.readouterr().err
    many = write(tmp_path / "d", protocol(), x=(40, 20), y=(40, 20))
    with pytest.raises(InputError, match="must share a policy to be compared, got push"):
        compare_policies(read_policies(one), read_policies(many))


def test_a_gate_opens_for_enough_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result, limits = write(tmp_path / "a", protocol(), push=(40, 36, 30, 34)), tmp_path / "limits.toml"
    for number, at_least, status in (
        ("mean", 0.83, 0), ("mean", 0.84, 3), ("worst", 0.75, 0), ("worst", 0.76, 3), ("lower", 0.8, 3),
    ):  # fmt: skip
        limits.write_text(f'[[success]]\npolicy = "push"\nat_least = {at_least}\nnumber = "{number}"\n')
        assert main(["gate", str(result), "--limits", str(limits)]) == status
        said = capsys.readouterr().out
        assert ("all limits kept" if status == 0 else "1 of 1 limits broken") in said
        assert "held-out simulation" in said


def test_limits_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    played, limits = read_policies(write(tmp_path / "a", protocol(), push=(40, 36))), tmp_path / "limits.toml"
    for text, message in (
        ('[[limit]]\nrow = "push"\nat_most_m = 1.0\n', r"must hold \[\[success\]\] tables"),
        ('[[success]]\npolicy = "push"\nat_least = 80\n', "at_least must be above 0 and at most 1, got 80"),
        ("nothing", "must be TOML"),
    ):
        limits.write_text(text)
        with pytest.raises(InputError, match=message):
            read_success_limits(limits)
    for text, message in (
        ('[[success]]\npolicy = "pull"\nat_least = 0.8\n', "policy must be one of push, got 'pull'"),
        (
            'fewest_episodes = 75\n[[success]]\npolicy = "push"\nat_least = 0.8\n',
            "ask for 75 episodes a station, got 40",
        ),
    ):
        limits.write_text(text)
        with pytest.raises(InputError, match=message):
            check_success(played, read_success_limits(limits), "limits.toml")


def test_a_change_needs_the_same_episodes() -> None:
    one = np.ones((2, 10), np.bool_)
    assert change(one, ~one).value == 1.0
    assert change(one, one).low < 0 < change(one, one).high
    with pytest.raises(ValueError, match=r"same \(stations, starts\), got \(2, 10\) and \(1, 10\)"):
        change(one, one[:1])
