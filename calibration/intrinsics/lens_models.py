"""Lens models that are fitted: which numbers of a camera are free, and how pixels change with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics, LensModel, radial_factor

Float = NDArray[np.float64]
_PINHOLE = ("fx_px", "fy_px", "cx_px", "cy_px", "k1", "k2", "p1", "p2", "k3")
_RATIONAL = (*_PINHOLE, "k4", "k5", "k6")
_FISHEYE = ("fx_px", "fy_px", "cx_px", "cy_px", "k1", "k2", "k3", "k4")


@dataclass(frozen=True)
class LensKind:
    """A choice of free numbers.

    Attributes:
        name: for people.
        model: of the camera.
        free: names of the numbers that are fitted; the others of the model are 0. A name "f_px" stands for both focal
            lengths, equal.
    """

    name: str
    model: LensModel
    free: tuple[str, ...]

    def values(self, camera: CameraIntrinsics) -> Float:
        """Return the free numbers of a camera."""
        named = named_values(camera) | {"f_px": 0.5 * (camera.fx_px + camera.fy_px)}
        return np.array([named.get(name, 0.0) for name in self.free])

    def camera(self, values: Float, width_px: int, height_px: int) -> CameraIntrinsics:
        """Return the camera with these free numbers."""
        named = dict(zip(self.free, values.tolist(), strict=True))
        if "f_px" in named:
            named["fx_px"] = named["fy_px"] = named.pop("f_px")
        named.setdefault("cx_px", (width_px - 1) / 2)
        named.setdefault("cy_px", (height_px - 1) / 2)
        lens = [named.get(name, 0.0) for name in self.numbers[4:]]
        lens += [0.0] * (5 - len(lens))
        return CameraIntrinsics(
            width_px, height_px, named["fx_px"], named["fy_px"], named["cx_px"], named["cy_px"], tuple(lens), self.model
        )

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names of all numbers of such a camera, the fitted ones and those that are 0."""
        if self.model == "fisheye":
            return _FISHEYE
        return _RATIONAL if "k4" in self.free else _PINHOLE

    def jacobian(self, of_all: Float) -> Float:
        """Return the columns of the free numbers (N, 2, free) of those of all numbers of the model."""
        columns = [
            of_all[..., 0] + of_all[..., 1] if name == "f_px" else of_all[..., self.numbers.index(name)]
            for name in self.free
        ]
        return np.stack(columns, axis=-1)


LENS_KINDS: Mapping[str, LensKind] = {
    kind.name: kind
    for kind in (
        LensKind("pinhole", "pinhole", ("f_px", "cx_px", "cy_px")),
        LensKind("pinhole+k1", "pinhole", ("fx_px", "fy_px", "cx_px", "cy_px", "k1")),
        LensKind("pinhole+k1k2", "pinhole", ("fx_px", "fy_px", "cx_px", "cy_px", "k1", "k2")),
        LensKind("pinhole+k1k2p1p2", "pinhole", ("fx_px", "fy_px", "cx_px", "cy_px", "k1", "k2", "p1", "p2")),
        LensKind("pinhole+k1k2p1p2k3", "pinhole", _PINHOLE),
        LensKind("rational", "pinhole", _RATIONAL),
        LensKind("fisheye", "fisheye", _FISHEYE),
    )
}


def named_values(camera: CameraIntrinsics) -> dict[str, float]:
    """Return the numbers of a camera by name."""
    names = _FISHEYE if camera.model == "fisheye" else _RATIONAL
    values = (camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px, *camera.distortion)
    return dict(zip(names, values, strict=False))


def project_with_jacobians(camera: CameraIntrinsics, points: Float) -> tuple[Float, Float, Float]:
    """Return pixels (N, 2) of points (N, 3) in the camera frame, and how they change.

    Points behind the camera are projected as if the picture went on there, so that a fit that goes astray can return.

    Returns:
        pixels, d pixels / d point (N, 2, 3), and d pixels / d numbers (N, 2, P) in the order of the camera's model:
        fx fy cx cy and its distortion, five or eight numbers as it has. Differentiated from the models of
        `CameraIntrinsics`.
    """
    x, y, z = points.T
    z = np.where(np.abs(z) < 1e-9, 1e-9, z)
    a, b = x / z, y / z
    bent, of_ab, of_lens = _fisheye(a, b, camera) if camera.model == "fisheye" else _pinhole(a, b, camera)
    focal = np.array([camera.fx_px, camera.fy_px])
    pixels = bent * focal + (camera.cx_px, camera.cy_px)
    of_point = np.zeros((len(points), 2, 3))
    # a and b change with x by 1/z, with z by -a/z.
    of_point[:, :, 0], of_point[:, :, 1] = of_ab[:, :, 0] / z[:, None], of_ab[:, :, 1] / z[:, None]
    of_point[:, :, 2] = -(of_ab[:, :, 0] * a[:, None] + of_ab[:, :, 1] * b[:, None]) / z[:, None]
    of_point *= focal[:, None]
    of_numbers = np.zeros((len(points), 2, 4 + of_lens.shape[2]))
    of_numbers[:, 0, 0], of_numbers[:, 1, 1] = bent[:, 0], bent[:, 1]
    of_numbers[:, 0, 2] = of_numbers[:, 1, 3] = 1.0
    of_numbers[:, :, 4:] = of_lens * focal[:, None]
    return pixels, of_point, of_numbers


def _pinhole(a: Float, b: Float, camera: CameraIntrinsics) -> tuple[Float, Float, Float]:
    p1, p2 = camera.distortion[2:4]
    r2 = a * a + b * b
    # d radial / d a = slope * 2 a.
    radial, slope = radial_factor(r2, camera.distortion)
    bent = np.stack(
        [a * radial + 2 * p1 * a * b + p2 * (r2 + 2 * a * a), b * radial + p1 * (r2 + 2 * b * b) + 2 * p2 * a * b], 1
    )
    of_ab = np.empty((len(a), 2, 2))
    of_ab[:, 0, 0] = radial + 2 * a * a * slope + 2 * p1 * b + 6 * p2 * a
    of_ab[:, 0, 1] = of_ab[:, 1, 0] = 2 * a * b * slope + 2 * p1 * a + 2 * p2 * b
    of_ab[:, 1, 1] = radial + 2 * b * b * slope + 6 * p1 * b + 2 * p2 * a
    below = (*camera.distortion[5:], 0.0, 0.0, 0.0)[:3]
    under = 1.0 + r2 * (below[0] + r2 * (below[1] + r2 * below[2]))
    of_lens = np.empty((len(a), 2, len(camera.distortion)))
    for column, power in ((0, r2), (1, r2**2), (4, r2**3)):
        of_lens[:, 0, column], of_lens[:, 1, column] = a * power / under, b * power / under
    for column in range(5, len(camera.distortion)):
        share = -radial * r2 ** (column - 4) / under
        of_lens[:, 0, column], of_lens[:, 1, column] = a * share, b * share
    of_lens[:, 0, 2], of_lens[:, 1, 2] = 2 * a * b, r2 + 2 * b * b
    of_lens[:, 0, 3], of_lens[:, 1, 3] = r2 + 2 * a * a, 2 * a * b
    return bent, of_ab, of_lens


def _fisheye(a: Float, b: Float, camera: CameraIntrinsics) -> tuple[Float, Float, Float]:
    k1, k2, k3, k4 = camera.distortion[:4]
    r = np.maximum(np.hypot(a, b), 1e-12)
    angle = np.arctan(r)
    s = angle * angle
    bent_angle = angle * (1.0 + s * (k1 + s * (k2 + s * (k3 + s * k4))))
    slope = 1.0 + s * (3 * k1 + s * (5 * k2 + s * (7 * k3 + s * 9 * k4)))
    scale = bent_angle / r
    # d scale / d r = (slope * d angle / d r - scale) / r, and d angle / d r = 1 / (1 + r^2).
    turn = (slope / (1.0 + r * r) - scale) / r
    bent = np.stack([a * scale, b * scale], axis=1)
    of_ab = np.empty((len(a), 2, 2))
    of_ab[:, 0, 0] = scale + a * a * turn / r
    of_ab[:, 0, 1] = of_ab[:, 1, 0] = a * b * turn / r
    of_ab[:, 1, 1] = scale + b * b * turn / r
    of_lens = np.stack([np.stack([a, b], 1) * (angle ** (2 * k + 3) / r)[:, None] for k in range(4)], axis=2)
    return bent, of_ab, of_lens
