"""Which photographs of a station to label next."""

from __future__ import annotations

from sim2real.advice.active_learning.selection import pick_frames
from sim2real.advice.photographs import Photographs
from sim2real.advice.record import PickedFrame
from sim2real.advice.stages import Answers


def placing_stage(stages: int) -> int:
    """Return which of a model's stages photographs are compared in.

    The second-coarsest map knows where things are, and no longer each texture.
    """
    return max(stages - 2, 0)


def pick_photographs(photographs: Photographs, seen: Answers, count: int) -> list[PickedFrame]:
    """Return the photographs to label next, best first; fewer than `count` where the rest repeat others.

    Args:
        photographs: of which those that may be labelled are picked, unlike those that are.
        seen: what a model makes of all of them, in their order.
        count: how many.
    """
    labelled = {f.file for f in photographs.labelled}
    rows = [k for k, f in enumerate(photographs.files) if f in labelled or f in photographs.may_label]
    if not rows:
        return []
    files = [photographs.files[k] for k in rows]
    features = seen.stages[placing_stage(len(seen.stages))].places[rows]
    already = [k for k, f in enumerate(files) if f in labelled]
    found = pick_frames(features, 1.0 - seen.confidence[rows], already, count)
    return [
        PickedFrame(files[p.index], n, p.distance, files[p.nearest], float(seen.confidence[rows[p.index]]), p.score)
        for n, p in enumerate(found, 1)
    ]
