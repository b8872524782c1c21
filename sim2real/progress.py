"""Progress bars on standard error, with rate and time left; quiet lines where there is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, note: str = "") -> None:
        """Say how much is done in all."""


@contextmanager
def progress(title: str, total: int, unit: str, start: int = 0) -> Iterator[Advance]:
    """Show how far long work is; yields a function that takes the amount done so far."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    began = time.monotonic()
    if not console.is_terminal:
        last = [began]

        def plain(done: int, note: str = "") -> None:
            now = time.monotonic()
            if now - last[0] < 15 and done < total:
                return
            last[0] = now
            rate = (done - start) / max(now - began, 1e-9)
            left = f", {(total - done) / rate:.0f} s left" if rate > 0 else ""
            line = f"{title}: {done}/{total} {unit}, {rate:.1f} {unit}/s{left} {note}"
            sys.stderr.write(line.rstrip() + "\n")
            sys.stderr.flush()

        yield plain
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit + " {task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=start, rate="", note="")

        def rich(done: int, note: str = "") -> None:
            rate = (done - start) / max(time.monotonic() - began, 1e-9)
            bar.update(task, completed=done, rate=f"{rate:.1f}/s", note=note)

        yield rich
