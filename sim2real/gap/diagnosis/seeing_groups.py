"""What pictures of the station can differ by from drawings of its rig file."""

from __future__ import annotations

import numpy as np

from calibration.rig import Rig
from calibration.world import BodyParams, WorldParams
from sim2real.gap.diagnosis.groups import Group, Part, added, clipped, one_of, scaled, size_of, uniform

_DARK, _BRIGHT = 0.02, 1.0
# How far an unmeasured camera can be from the rig file's, in its own stated uncertainties.
_CAMERA = 1.5


def seeing_groups(rig: Rig, nominal: WorldParams) -> tuple[Group, ...]:
    """Return the groups of a station; those for which its world has nothing are left out.

    Widths are what a station that nobody measured may have: 1.5 standard uncertainties of its camera, half a stop, a
    fifth of the range of a colour.

    Args:
        rig: as its file describes it.
        nominal: its world.
    """
    camera, light = rig.camera, nominal.light
    spot = rig.distractors

    def of(role: str) -> list[BodyParams]:
        return [b for b in nominal.bodies if b.role == role]

    listed = {
        "camera tilt": [added("camera.tilt_rad", nominal.camera.tilt_rad, _CAMERA * camera.rotation_std_rad)],
        "camera position": [added("camera.shift_m", nominal.camera.shift_m, _CAMERA * camera.position_std_m)],
        "focal length": [scaled("camera.focal_scale", nominal.camera.focal_scale, _CAMERA * camera.focal_std)],
        "light": [
            added("light.azimuth_rad", light.azimuth_rad, 1.0),
            clipped("light.elevation_rad", light.elevation_rad, 0.3, 0.3, 1.55),
            scaled("light.diffuse", light.diffuse, 0.5),
            scaled("light.ambient", light.ambient, 0.3),
            _warmth("light.rgb", 0.1),
        ],
        "exposure": [
            added("sensor.exposure_ev", 0.0, 0.5),
            scaled("sensor.gamma", 1.0, 0.25),
            scaled("sensor.saturation", 1.0, 0.25),
            _warmth("sensor.white_balance", 0.15),
        ],
        "vignetting": [size_of("sensor.vignetting", 0.25)],
        "blur": [size_of("sensor.blur_px", 1.0)],
        "noise": [size_of("sensor.noise", 8.0)],
        "texture": [p for b in of("surface") for p in _surface(b)],
        "background": [
            clipped("background.rgb", nominal.background.rgb, 0.2, _DARK, _BRIGHT),
            one_of(
                "background.texture", nominal.background.texture, ("clutter:4", "clutter:5", "noise:10", "noise:11")
            ),
        ],
        "object colour": [_colour(b) for b in of("object")],
        "distractors": [p for b in of("distractor")[:1] if spot is not None for p in _there(b, rig)],
    }
    return tuple(Group(name, tuple(parts)) for name, parts in listed.items() if parts)


def _warmth(path: str, scale: float) -> Part:
    """Return a part that multiplies red and blue; green stays, since brightness has values of its own."""

    def values(u: np.ndarray) -> dict[str, tuple[float, float, float]]:
        red, blue = np.exp(scale * u).tolist()
        return {path: (red, 1.0, blue)}

    return Part(2, values)


def _colour(body: BodyParams) -> Part:
    return clipped(f"bodies.{body.name}.rgb", body.rgb, 0.2, _DARK, _BRIGHT)


def _surface(body: BodyParams) -> list[Part]:
    kinds = ("planks:0", "planks:1", "marks:0", "noise:0")
    return [_colour(body), one_of(f"bodies.{body.name}.texture", body.texture, kinds)]


def _there(body: BodyParams, rig: Rig) -> list[Part]:
    spot = rig.distractors
    assert spot is not None
    low, high = np.transpose([spot.x_m, spot.y_m, spot.z_m]).tolist()
    return [
        Part(0, lambda u: {f"bodies.{body.name}.present": True}),
        uniform(f"bodies.{body.name}.position_m", low, high),
        uniform(f"bodies.{body.name}.rgb", (_DARK,) * 3, (_BRIGHT,) * 3),
    ]
