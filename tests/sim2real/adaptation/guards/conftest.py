"""Stations seen by a camera that stands still, in simulation: rig, labelled frames, and pictures without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.extrinsics import CameraPrior
from calibration.kinematics import nominal_world
from calibration.lifting import keypoints_of_label
from calibration.rig import Rig
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import WorldParams
from sim2real.adaptation.guards.checks.doubt import Doubt
from sim2real.adaptation.guards.checks.units import check_units
from sim2real.adaptation.guards.labelled_frames import check_labels
from sim2real.randomization import RandomizationSpec
from sim2real.realdata import RealFrame
from sim2real.stream import SimulatedFrames

LABELLED, OTHERS = 10, 6


@dataclass(frozen=True, eq=False)
class Station:
    """A rig, ten labelled frames of it, six pictures more, and where a good model would see the keypoints."""

    rig: Rig
    view: CameraView
    frames: tuple[RealFrame, ...]
    others: tuple[NDArray[np.uint8], ...]
    seen_px: NDArray[np.float64]

    def check(self, frames: object = None, **changes: object) -> list[Doubt]:
        """Return the doubts about frames (default: its own), by what the model sees; `changes` go to `check_labels`."""
        n, k = self.seen_px.shape[:2]
        settings: dict[str, object] = {"keypoints_px": self.seen_px, "confidence": np.full((n, k), 0.9)}
        settings |= {"others": self.others} | changes
        return check_labels(self.rig, self.view, frames if frames is not None else self.frames, **settings)  # type: ignore[arg-type]

    def check_units(self, frames: list[RealFrame], with_model: bool = True) -> list[Doubt]:
        """Return the doubts about units alone."""
        camera = self.rig.camera
        return check_units(
            self.rig,
            self.view.resized(*self.rig.input_size_px),
            CameraPrior(camera.position_std_m, camera.rotation_std_rad, camera.focal_std),
            [f.file for f in frames],
            np.stack([f.point_m for f in frames]),
            np.stack([f.keypoints_world for f in frames]),
            [f.joints for f in frames],
            self.seen_px if with_model else None,
        )

    def relabel(
        self, frame: RealFrame, point: NDArray[np.float64], joints: Mapping[str, float] | None = None
    ) -> RealFrame:
        """Return the frame with another label; without joints they follow from the point."""
        own = dict(joints) if joints is not None else None
        return replace(frame, point_m=point, joints=own, keypoints_world=keypoints_of_label(self.rig, point, own))

    def exchanged(self, a: int, b: int) -> list[RealFrame]:
        """Return the frames with the labels of two of them exchanged."""
        frames = list(self.frames)
        one, two = frames[a], frames[b]
        frames[a] = self.relabel(one, two.point_m, two.joints)
        frames[b] = self.relabel(two, one.point_m, one.joints)
        return frames


def place(rig: Rig, world: WorldParams, rng: np.random.Generator) -> WorldParams:
    """Return the world with what is placed somewhere in the middle of its range."""

    def draw(span: tuple[float, float]) -> float:
        return float(rng.uniform(0.75 * span[0] + 0.25 * span[1], 0.25 * span[0] + 0.75 * span[1]))

    bodies, joints = {b.name: b for b in world.bodies}, {j.name: j for j in world.joints}
    for p in rig.placements:
        if p.body is not None and p.x_m and p.y_m and p.z_m:
            position = (draw(p.x_m), draw(p.y_m), draw(p.z_m))
            bodies[p.body] = replace(bodies[p.body], position_m=position)
        elif p.joint is not None and p.range is not None:
            joints[p.joint] = replace(joints[p.joint], position=draw(p.range))
    return replace(world, bodies=tuple(bodies.values()), joints=tuple(joints.values()))


@cache
def simulated_station(name: str) -> Station:
    rig = load_rig(name)
    rng = np.random.default_rng(7)
    worlds = [place(rig, nominal_world(rig), rng) for _ in range(LABELLED + OTHERS)]
    stream = SimulatedFrames(rig, RandomizationSpec("still", ()), 0, renderer="cpu")
    batch = stream.draw_worlds(worlds)
    stream.close()
    noise = np.clip(batch.rgb + rng.normal(0, 1.5, batch.rgb.shape), 0, 255).astype(np.uint8)
    frames = []
    for k, world in enumerate(worlds[:LABELLED]):
        joints = {j.name: world.joint_positions()[j.name] for j in rig.joints} or None
        point = batch.points_m[k]
        keypoints = keypoints_of_label(rig, point, joints)
        frames.append(RealFrame(f"{k}.png", f"hash{k}", noise[k], point, joints, keypoints, "full", str(k), None))
    seen = batch.keypoints_px[:LABELLED] + rng.normal(0, 0.5, batch.keypoints_px[:LABELLED].shape)
    return Station(rig, CameraView.of(rig), tuple(frames), tuple(noise[LABELLED:]), seen)


@pytest.fixture(scope="session")
def station() -> Callable[[str], Station]:
    """A simulated station by the name of its rig; each is drawn once."""
    return simulated_station


@pytest.fixture(params=["cube_on_table", "psm_tool"])
def either(request: pytest.FixtureRequest) -> Station:
    """Both stations, one after the other."""
    return simulated_station(request.param)
