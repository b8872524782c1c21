"""Long work says how far it is: a bar in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest

from sim2real import progress as module
from sim2real.progress import progress


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return what gives the lines that standard error, which is no terminal here, has got."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return lambda: capsys.readouterr().err.splitlines()


def test_quiet_lines_have_rate_and_time_left(clock: Clock, plain: Callable[[], list[str]]) -> None:
    with progress("pretrain", 1000, "frames") as advance:
        for done in range(10, 1000, 10):
            clock.now += 1.0
            advance(done, f"loss {done}")
            if done == 300:
                break
    lines = plain()
    assert [line.split()[1] for line in lines] == ["150/1000", "300/1000"], "one line in 15 seconds"
    assert lines[0] == "pretrain: 150/1000 frames, 10.0 frames/s, 85 s left loss 150"


def test_end_is_always_said(clock: Clock, plain: Callable[[], list[str]]) -> None:
    with progress("get", 2, "files") as advance:
        clock.now += 0.5
        advance(1)
        clock.now += 0.5
        advance(2)
    assert plain() == ["get: 2/2 files, 2.0 files/s, 0 s left"]


def test_resumed_work_does_not_count_towards_the_rate(clock: Clock, plain: Callable[[], list[str]]) -> None:
    with progress("pretrain", 1000, "frames", start=500) as advance:
        clock.now += 20.0
        advance(600)
    assert plain() == ["pretrain: 600/1000 frames, 5.0 frames/s, 80 s left"]


def test_nothing_done_yet_has_no_time_left_to_say(clock: Clock, plain: Callable[[], list[str]]) -> None:
    with progress("pretrain", 1000, "frames", start=500) as advance:
        clock.now += 20.0
        advance(500)
    assert plain() == ["pretrain: 500/1000 frames, 0.0 frames/s"]


def test_errors_pass_through(plain: Callable[[], list[str]]) -> None:
    def work() -> None:
        with progress("x", 3, "steps"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


def test_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with progress("pretrain", 40, "frames", start=10) as advance:
        advance(20, "loss 0.5")
        advance(40, "loss 0.1")
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    last = shown.replace("\r", "\n").strip().splitlines()[-1]
    assert re.search(r"pretrain .*40/40 frames [0-9.]+/s .*loss 0\.1", last), last
