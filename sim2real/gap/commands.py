"""`sim2real gap`, `compare` and `gate`: what they print, and their exit status."""

from __future__ import annotations

from calibration.errors import InputError
from calibration.records import write_json
from sim2real.configs import CompareConfig, GapConfig, GateConfig
from sim2real.gap import compare as comparing
from sim2real.gap import limits as limiting
from sim2real.gap.measured import read_measured
from sim2real.gap.policies import compare as comparing_policies
from sim2real.gap.policies import limits as limiting_policies
from sim2real.gap.policies.kept import is_policy_gap, read_policies


def gap(config: GapConfig) -> tuple[str, int]:
    """Measure the gap of a model; return where its page is, and exit status 0, or 3 where a limit is broken.

    Raises:
        InputError: bad settings, models, data or limits; nothing is written then.
    """
    from sim2real.gap.command import gap as measure

    limits = limiting.read_limits(config.limits) if config.limits is not None else None
    page = measure(config)
    text = f"gap: {page}"
    if limits is None:
        return text, 0
    measured = read_measured(page.with_name("gap.json"))
    checked = limiting.check_limits(measured, limits, str(config.limits))
    return f"{text}\n{limiting.as_text(measured, checked)}", 0 if all(c.kept for c in checked) else 3


def _compare_policies(config: CompareConfig) -> str:
    first, second = read_policies(config.first), read_policies(config.second)
    rows = comparing_policies.compare_policies(first, second)
    if config.json is not None:
        write_json(config.json, comparing_policies.as_plain(first, second, rows))
    return comparing_policies.as_text(first, rows)


def _gate_policies(config: GateConfig) -> tuple[str, int]:
    limits, played = limiting_policies.read_success_limits(config.limits), read_policies(config.result)
    checked = limiting_policies.check_success(played, limits, str(config.limits))
    return limiting_policies.as_text(played, checked), 0 if all(c.kept for c in checked) else 3


def compare(config: CompareConfig) -> tuple[str, int]:
    """Compare two results; return a table and exit status 0.

    Raises:
        InputError: results that cannot be read, or of other protocols; nothing is written then.
    """
    if config.json is not None and config.json.exists():
        raise InputError(f"--json must be a new file, got {config.json}")
    if is_policy_gap(config.first) and is_policy_gap(config.second):
        return _compare_policies(config), 0
    first, second = read_measured(config.first), read_measured(config.second)
    rows = comparing.compare(first, second)
    if config.json is not None:
        write_json(config.json, comparing.as_plain(first, second, rows))
    return comparing.as_text(first, second, rows), 0


def gate(config: GateConfig) -> tuple[str, int]:
    """Check a result against limits; return what was found and exit status 0, or 3 where a limit is broken.

    Raises:
        InputError: a result or limits that cannot be read, or that do not fit each other.
    """
    if is_policy_gap(config.result):
        return _gate_policies(config)
    limits, measured = limiting.read_limits(config.limits), read_measured(config.result)
    checked = limiting.check_limits(measured, limits, str(config.limits))
    return limiting.as_text(measured, checked), 0 if all(c.kept for c in checked) else 3
