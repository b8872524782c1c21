"""Points projected by our camera, by OpenCV and by the renderer's own pixels agree."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.rig_file import parse_rig
from calibration.world import CameraParams, WorldParams
from envs.rendering import tiny
from envs.rendering.choice import make_renderer
from envs.rendering.renderer import Images, Renderer

BALL_RADIUS_M = 0.04
BALLS = [(x, y, z) for x, z in ((-0.3, 0.2), (0.3, 0.5), (0.0, 0.8)) for y in (-0.55, -0.2, 0.15, 0.5)]
FULL = CameraIntrinsics(640, 480, 600.0, 600.0, 319.5, 239.5)
OFF_CENTRE = CameraIntrinsics(640, 480, 600.0, 580.0, 290.3, 262.8)
BENT = replace(OFF_CENTRE, distortion=(-0.25, 0.08, 0.003, -0.002, -0.01))
CAMERAS = {
    "centred": FULL,
    "off-centre principal point": OFF_CENTRE,
    "odd size": replace(OFF_CENTRE, width_px=633, height_px=471),
    "crop": OFF_CENTRE.cropped(40, 60, 530, 400),
    "resize": OFF_CENTRE.resized(320, 180),
    "lens distortion": BENT,
    "distortion, crop and resize": BENT.cropped(40, 60, 560, 400).resized(420, 300),
}
MOVED = CameraParams((0.05, -0.03, 0.1), (0.02, -0.03, 0.05), 0.95)


@dataclass
class Station:
    """Balls, a floor and a board, and what draws them; how far a ball may lie from its place, and all on average."""

    rig: Rig
    world: WorldParams
    renderer: Renderer
    tolerance_px: tuple[float, float]

    def draw(self, camera: CameraIntrinsics, change: CameraParams | None = None) -> Images:
        return self.renderer.render([replace(self.world, camera=change or CameraParams())], camera)


@pytest.fixture(scope="module", params=["cpu", "pybullet"])
def station(small_rig: str, request: pytest.FixtureRequest) -> Iterator[Station]:
    head, _, _ = small_rig.partition("[[bodies]]")
    _, _, tail = small_rig.partition("[[keypoints]]")
    bodies = [("sphere", f"radius_m = {BALL_RADIUS_M}", place) for place in BALLS]
    bodies.append(("box", "size_m = [2.0, 2.0, 0.1]", (0.0, 0.0, 0.0)))
    bodies.append(("box", "size_m = [0.02, 0.3, 0.2]\nrpy_rad = [0.0, 0.0, 0.3]", (0.5, 0.0, 0.35)))
    text = "".join(
        f'[[bodies]]\nname = "b{k}"\nrole = "object"\nshape = "{shape}"\n{size}\nposition_m = {list(place)}\n'
        for k, (shape, size, place) in enumerate(bodies)
    )
    rig = parse_rig(head + text + "[[keypoints]]" + tail.replace('"target"', '"b0"'), "balls", Path())
    renderer = make_renderer(rig, request.param)
    yield Station(rig, nominal_world(rig), renderer, (0.3, 0.08) if request.param == "cpu" else (0.5, 0.12))
    renderer.close()


def opencv_pixels(images: Images) -> np.ndarray:
    view = images.views[0]
    camera = view.intrinsics
    camera_from_world = np.linalg.inv(view.world_from_camera.matrix())
    k = np.array([[camera.fx_px, 0, camera.cx_px], [0, camera.fy_px, camera.cy_px], [0, 0, 1]])
    turn, shift = cv2.Rodrigues(camera_from_world[:3, :3])[0], camera_from_world[:3, 3]
    return cv2.projectPoints(np.array(BALLS), turn, shift, k, np.array(camera.distortion))[0].reshape(-1, 2)


def outline_middles(images: Images) -> np.ndarray:
    """Return where OpenCV has the middles of the balls' outlines, which are not the images of the balls' centres.

    The outline of a sphere is an ellipse around (x z, y z) / (z^2 - r^2) on the plane at depth 1.
    """
    view = images.views[0]
    camera = view.intrinsics
    x, y, z = view.world_from_camera.inverse().apply(np.array(BALLS)).T
    middle = np.column_stack([x * z / (z * z - BALL_RADIUS_M**2), y * z / (z * z - BALL_RADIUS_M**2), np.ones(len(x))])
    none = np.zeros(3)
    return cv2.projectPoints(middle, none, none, camera.matrix(), np.array(camera.distortion))[0].reshape(-1, 2)


def centroids(images: Images) -> np.ndarray:
    """Return the mean pixel of each ball; NaN when it is cut by the border or too small."""
    found = np.full((len(BALLS), 2), np.nan)
    segmentation = images.segmentation[0]
    for k in range(len(BALLS)):
        v, u = np.nonzero(segmentation == k)
        inside = len(v) > 0 and v.min() > 0 and u.min() > 0
        if inside and v.max() < segmentation.shape[0] - 1 and u.max() < segmentation.shape[1] - 1 and len(v) > 25:
            found[k] = u.mean(), v.mean()
    return found


def offsets(images: Images) -> np.ndarray:
    """Return how far the drawn balls lie from where OpenCV projects them, (N, 2)."""
    difference = centroids(images) - outline_middles(images)
    seen = np.isfinite(difference).all(axis=1)
    assert seen.sum() >= 8, "most balls must be in view, or nothing is tested"
    return difference[seen]


@pytest.mark.parametrize("change", [None, MOVED], ids=["nominal", "moved"])
@pytest.mark.parametrize("name", CAMERAS)
def test_model_opencv_and_pixels_agree(name: str, change: CameraParams | None, station: Station) -> None:
    images = station.draw(CAMERAS[name], change)
    np.testing.assert_allclose(images.views[0].project(BALLS), opencv_pixels(images), atol=1e-8)
    found = offsets(images)
    one, mean = station.tolerance_px
    assert np.abs(found).max() < one, found
    # One ball is drawn in whole pixels, many average that out.
    assert np.abs(found.mean(axis=0)).max() < mean, found.mean(axis=0)


@pytest.mark.parametrize("station", ["pybullet"], indirect=True)
@pytest.mark.parametrize("name", ["centred", "off-centre principal point", "resize", "lens distortion"])
def test_without_the_half_pixel_the_pictures_would_be_off(
    name: str, station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, "_SAMPLE_PX", 0.0)
    right, down = offsets(station.draw(CAMERAS[name])).mean(axis=0)
    assert right == pytest.approx(0.5, abs=0.12)
    assert down == pytest.approx(-0.5, abs=0.12)


def rays(images: Images) -> tuple[np.ndarray, np.ndarray]:
    """Return the camera's place (3,) and its rays (H, W, 3) in the world, scaled to depth 1."""
    view = images.views[0]
    camera = view.intrinsics
    u, v = np.meshgrid(np.arange(camera.width_px, dtype=float), np.arange(camera.height_px, dtype=float))
    k = np.array([[camera.fx_px, 0, camera.cx_px], [0, camera.fy_px, camera.cy_px], [0, 0, 1]])
    xy = cv2.undistortPoints(np.stack([u, v], -1).reshape(-1, 1, 2), k, np.array(camera.distortion)).reshape(-1, 2)
    matrix = view.world_from_camera.matrix()
    directions = np.column_stack([xy, np.ones(len(xy))]) @ matrix[:3, :3].T
    return matrix[:3, 3], directions.reshape(camera.height_px, camera.width_px, 3)


FLOOR, BOARD = len(BALLS), len(BALLS) + 1
# A point on each plane and its normal: the floor's top, and the side of the board that faces the camera.
PLANES = {
    FLOOR: ((0.0, 0.0, 0.05), (0.0, 0.0, 1.0)),
    BOARD: ((0.5 - 0.01 * np.cos(0.3), -0.01 * np.sin(0.3), 0.35), (np.cos(0.3), np.sin(0.3), 0.0)),
}


@pytest.mark.parametrize(
    ("name", "bodies"),
    [
        ("centred", (FLOOR, BOARD)),
        ("off-centre principal point", (FLOOR, BOARD)),
        ("crop", (FLOOR, BOARD)),
        # Depth is not blended where a picture is bent, so on the floor half a pixel is centimetres.
        ("distortion, crop and resize", (BOARD,)),
    ],
)
def test_depth_is_the_distance_along_the_optical_axis(name: str, bodies: tuple[int, ...], station: Station) -> None:
    images = station.draw(CAMERAS[name], MOVED)
    eye, directions = rays(images)
    for body in bodies:
        seen = images.segmentation[0] == body
        point, normal = PLANES[body]
        truth = ((np.array(point) - eye) @ normal) / (directions[seen] @ normal)
        assert seen.sum() > 500
        assert np.median(np.abs(images.depth_m[0][seen] - truth)) < 0.001
    nothing = images.segmentation[0] < 0
    assert nothing.any()
    assert np.isinf(images.depth_m[0][nothing]).all()
