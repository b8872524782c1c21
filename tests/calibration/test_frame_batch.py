"""Frames of many worlds at once are those of one after another."""

import dataclasses

import numpy as np
import pytest

from calibration.frame_batch import FrameBatch
from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig_file import load_rig, rig_names
from calibration.world import WorldParams


def shaken(world: WorldParams, seed: int) -> WorldParams:
    rng = np.random.default_rng(seed)

    def vector() -> tuple[float, float, float]:
        x, y, z = rng.uniform(-1.0, 1.0, 3).tolist()
        return x, y, z

    return dataclasses.replace(
        world,
        bodies=tuple(dataclasses.replace(b, position_m=vector(), rpy_rad=vector()) for b in world.bodies),
        joints=tuple(dataclasses.replace(j, position=float(rng.uniform(-1.0, 1.0))) for j in world.joints),
    )


@pytest.mark.parametrize("name", rig_names())
def test_a_batch_has_the_frames_of_each_world(name: str) -> None:
    rig = load_rig(name)
    worlds = [nominal_world(rig), *(shaken(nominal_world(rig), seed) for seed in range(3))]
    batch = FrameBatch(rig)
    found = batch.of(worlds)
    for k, world in enumerate(worlds):
        for frame, matrix in frame_matrices(rig, world).items():
            np.testing.assert_allclose(found[k, batch.index(frame, world)], matrix, atol=1e-12, err_msg=frame)


def test_no_world_has_no_frames() -> None:
    assert FrameBatch(load_rig("psm_tool")).of([]).shape[0] == 0
