"""A box and coloured balls are seen in drawn photographs where they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.kinematics import frame_matrices, nominal_world
from calibration.rig_file import load_rig
from calibration.view import CameraView
from calibration.world import with_values
from envs.rendering.choice import make_renderer
from sim2real.calibrate.box_edges import box_pixel
from sim2real.calibrate.seen_points import seen_points
from sim2real.realdata import RealFrame


def test_a_box_is_seen_by_its_edges_where_it_is() -> None:
    rig = load_rig("cube_on_table")
    world = nominal_world(rig)
    renderer = make_renderer(rig, "cpu", 1)
    view = CameraView.of(rig)
    places = [(-0.7, 0.2, 0.93), (-0.95, -0.3, 0.93), (-0.6, -0.1, 0.93)]
    worlds = [with_values(world, {"bodies.cube.present": False})]
    for place, yaw in zip(places, (0.1, -0.5, 0.7), strict=True):
        values = {
            "bodies.cube.position_m": place,
            "bodies.cube.rpy_rad": (0.0, 0.0, yaw),
            "bodies.cube.size_scale": 1.06,
        }
        worlds.append(with_values(world, values))
    empty, *pictures = renderer.render(worlds, view.intrinsics).rgb
    renderer.close()
    for place, picture in zip(places, pictures, strict=True):
        truth = view.project(np.array(place))[0]
        # The label is 3 cm off, as hand-placed ones may be.
        found = box_pixel(rig, view, np.add(place, (0.02, -0.02, 0.0)), picture, empty)
        assert np.linalg.norm(found - truth) < 2.5
    nothing = box_pixel(rig, view, np.array(places[0]), empty, empty)
    assert np.isnan(nothing).all()


def test_coloured_balls_are_told_apart_by_size_and_place() -> None:
    rig = load_rig("psm_tool")
    world = nominal_world(rig)
    values = {"joints.yaw.position": -0.45, "joints.pitch.position": -0.1, "joints.insertion.position": 0.22}
    moved = with_values(world, values)
    view = CameraView.of(rig)
    renderer = make_renderer(rig, "cpu", 1)
    picture = renderer.render([moved], view.intrinsics).rgb[0]
    renderer.close()
    frames = frame_matrices(rig, moved)
    points = np.array([frames[k.frame][:3, 3] for k in rig.keypoints])
    frame = RealFrame("f", "", picture, np.zeros(3), None, points, "full", "", None)
    # The camera is believed a little elsewhere.
    wrong = replace(view, intrinsics=replace(view.intrinsics, cx_px=view.intrinsics.cx_px + 12.0))
    found = seen_points(rig, wrong, [frame], {"f": picture})[0]
    assert found == pytest.approx(view.project(points), abs=1.0)
