"""The CPU rasteriser against closed forms."""

from dataclasses import replace

import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.pose import Pose, look_at
from calibration.view import CameraView
from calibration.world import BackgroundParams, LampParams, LightParams
from envs.meshes.mesh import Mesh, MeshLevels, Part
from envs.meshes.primitives import box, sphere
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.drawing import Drawing
from envs.rendering.look_arrays import background_arrays, camera_arrays, light_arrays
from envs.rendering.scene_arrays import NO_TEXTURE, SceneArrays, Textures, pack_geometry

CAMERA = CameraIntrinsics(160, 120, 150.0, 140.0, 75.3, 62.1)
FLAT = LightParams(ambient=1.0, diffuse=0.0, specular=0.0, shadow=False)
NOTHING = Textures(np.zeros((0, 4), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int32))


def from_above(z: float) -> Pose:
    """A camera over the origin that looks straight down, the world's x to its right."""
    return Pose("world", "camera", (0.0, 0.0, z), (1.0, 0.0, 0.0, 0.0))


DOWN = from_above(2.0)


def quad(corners: np.ndarray, uvs: np.ndarray | None = None, part: Part | None = None) -> MeshLevels:
    """A rectangle, counter-clockwise seen from outside."""
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal /= np.linalg.norm(normal)
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) if uvs is None else uvs
    mesh = Mesh(
        corners.astype(np.float32),
        np.tile(normal, (4, 1)).astype(np.float32),
        uvs.astype(np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.zeros(2, np.int32),
        (part or Part(),),
    )
    return MeshLevels((mesh,))


def floor(half_m: float, z: float = 0.0, repeat: float = 1.0, texture: str = "none") -> MeshLevels:
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half_m + [0, 0, z]
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * repeat
    return quad(corners, uvs, Part((1.0, 1.0, 1.0), texture))


def scene(
    shapes: list[MeshLevels],
    poses: list[Pose | np.ndarray],
    camera: CameraIntrinsics = CAMERA,
    world_from_camera: Pose = DOWN,
    light: LightParams = FLAT,
    lamps: tuple[LampParams, ...] = (),
    background: BackgroundParams | None = None,
    textures: Textures = NOTHING,
    rgb: tuple[tuple[float, float, float], ...] | None = None,
    material: tuple[float, float, float, float] = (1.0, 30.0, 0.0, 0.0),
    matte: tuple[int, ...] = (),
) -> SceneArrays:
    """One view of shapes, one instance each; instance k has segment k."""
    count = len(shapes)
    matrices = np.array([(p.matrix() if isinstance(p, Pose) else p)[:3] for p in poses], np.float32)
    names = sorted({q.texture for s in shapes for m in s.meshes for q in m.parts} - {"none"})
    materials = np.tile(np.array(material, np.float32), (1, count, 1))
    for k in matte:
        materials[0, k, 3] = 1.0
    return SceneArrays(
        geometry=pack_geometry(shapes, {n: k for k, n in enumerate(names)}),
        textures=textures,
        camera=camera,
        shape=np.arange(count, dtype=np.int32)[None],
        present=np.ones((1, count), np.bool_),
        world_from_instance=matrices[None],
        segment=np.arange(count, dtype=np.int16)[None],
        rgb=np.array([rgb or ((1.0, 1.0, 1.0),) * count], np.float32),
        texture=np.full((1, count), NO_TEXTURE, np.int32),
        material=materials,
        **camera_arrays([CameraView(camera, world_from_camera)]),
        **light_arrays([light], [lamps]),
        **background_arrays([background or BackgroundParams((0.0, 0.0, 0.0))], camera),
    )


def draw(arrays: SceneArrays, samples: int = 1, threads: int = 1, error_px: float = 0.5) -> Drawing:
    rasterizer = CpuRasterizer(threads, samples, error_px)
    drawing = rasterizer.draw(arrays, normals=True)
    rasterizer.close()
    return drawing


def at(position: tuple[float, float, float]) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = position
    return matrix


def rays(camera: CameraIntrinsics, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
    """The camera's place and its rays (H, W, 3) in the world, of depth 1."""
    u, v = np.meshgrid(np.arange(camera.width_px, dtype=float), np.arange(camera.height_px, dtype=float))
    local = np.stack([(u - camera.cx_px) / camera.fx_px, (v - camera.cy_px) / camera.fy_px, np.ones_like(u)], -1)
    return np.array(pose.position_m), local @ pose.matrix()[:3, :3].T


@pytest.mark.parametrize("samples", [1, 4])
def test_depth_segment_and_normal_of_a_floor_that_passes_under_the_camera(samples: int) -> None:
    # The floor reaches behind the camera, so that its triangles cross the near plane.
    pose = look_at((0.0, 0.0, 0.5), (1.0, 0.2, 0.4))
    drawing = draw(scene([floor(40.0)], [np.eye(4)], world_from_camera=pose), samples)
    eye, directions = rays(CAMERA, pose)
    with np.errstate(divide="ignore"):
        depth = -eye[2] / directions[..., 2]
        there = eye + directions * depth[..., None]
    hit = (depth > 0) & (np.abs(there[..., :2]).max(axis=-1) < 39.5)
    miss = (depth < 0) | (np.abs(there[..., :2]).max(axis=-1) > 41.0)
    assert hit.sum() > 5000
    assert miss.sum() > 3000
    assert (drawing.segment[0][hit] == 0).mean() > 0.999
    assert (drawing.segment[0][miss] == -1).all()
    seen = hit & (drawing.segment[0] == 0)
    np.testing.assert_allclose(drawing.depth_m[0][seen], depth[seen], rtol=2e-4)
    up = np.linalg.inv(pose.matrix())[:3, 2]
    np.testing.assert_allclose(drawing.normal[0][seen], np.broadcast_to(up, (seen.sum(), 3)), atol=1e-5)
    assert np.isinf(drawing.depth_m[0][drawing.segment[0] < 0]).all()


def test_nothing_is_drawn_behind_the_camera_or_before_the_near_plane() -> None:
    behind = scene([box((0.2, 0.2, 0.2))], [at((0.0, 0.0, 3.0))])
    assert (draw(behind).segment == -1).all()
    close = scene([floor(1.0, 1.99)], [np.eye(4)])
    assert (draw(close).segment == -1).all()


def test_every_bit_is_the_same_for_any_number_of_threads_and_any_batch() -> None:
    shapes = [floor(1.0), box((0.3, 0.2, 0.4)), sphere(0.15)]
    poses = [np.eye(4), at((0.2, 0.1, 0.2)), at((-0.3, -0.1, 0.3))]
    single = scene(shapes, poses, light=LightParams(size_rad=0.05), lamps=(LampParams("a", True, (0.5, 0.5, 1.5)),))
    many = replace(
        single,
        **{
            name: np.repeat(getattr(single, name), 13, axis=0)
            for name in SceneArrays.__dataclass_fields__
            if name not in ("geometry", "textures", "camera", "pictures")
        },
    )
    many.world_from_instance[:, 1, 0, 3] += np.linspace(-0.3, 0.3, 13, dtype=np.float32)
    one = draw(many, 4, 1)
    for threads in (2, 3, 5):
        several = draw(many, 4, threads)
        for name in ("rgb", "depth_m", "segment", "normal"):
            np.testing.assert_array_equal(getattr(several, name), getattr(one, name))
    last = replace(
        single, world_from_instance=many.world_from_instance[12:], camera_from_world=many.camera_from_world[12:]
    )
    np.testing.assert_array_equal(draw(last, 4, 1).rgb[0], one.rgb[12])
    assert (one.rgb[0] != one.rgb[12]).any()


@pytest.mark.parametrize(("samples", "step"), [(1, 1.0), (4, 0.5), (16, 0.25)])
def test_an_edge_between_pixels_is_blended_by_the_samples_that_it_covers(samples: int, step: float) -> None:
    camera = CameraIntrinsics(32, 32, 100.0, 100.0, 15.5, 15.5)
    # Seen from above at 1 m, an edge at x metres lies 100 x pixels to the right of the middle.
    edge_px = 4.3
    corners = np.array([[-1, -1, 0], [edge_px / 100, -1, 0], [edge_px / 100, 1, 0], [-1, 1, 0]])
    top = from_above(1.0)
    arrays = scene([quad(corners)], [np.eye(4)], camera, top)
    line = draw(arrays, samples).rgb[0, 16, :, 0] / 255
    # Pixel 19 reaches from 3.5 - 0.5 to 4.5 - 0.5 right of the middle; 20 from 4 to 5: 0.3 of it is covered.
    assert line[18] == 1.0
    assert line[21] == 0.0
    covered = sum((k + 0.5) * step < 0.3 for k in range(round(1 / step))) * step
    assert line[20] == pytest.approx(covered, abs=0.01)


def test_a_far_checker_is_grey_and_a_near_one_is_not() -> None:
    texels = np.zeros((64, 64, 4), np.uint8)
    texels[..., :3] = np.where((np.add.outer(np.arange(64) // 8, np.arange(64) // 8) % 2)[..., None], 255, 0)
    levels, size, run = texels.astype(float), 64, []
    while size:
        run.append(np.round(levels).astype(np.uint8).reshape(-1, 4))
        size //= 2
        levels = (
            levels.reshape(max(size, 1), -1, max(size, 1), len(levels) // max(size, 1), 4).mean(axis=(1, 3))
            if size
            else levels
        )
    textures = Textures(np.concatenate(run), np.zeros(1, np.int64), np.array([64], np.int32))
    pictures = {}
    for repeat in (2.0, 200.0):
        arrays = scene([floor(1.0, 0.0, repeat, "checker")], [np.eye(4)], textures=textures)
        pictures[repeat] = draw(arrays).rgb[0, 40:80, 50:100, 0].astype(float)
    assert pictures[2.0].std() > 90
    assert pictures[200.0].std() < 3
    assert pictures[200.0].mean() == pytest.approx(127.5, abs=3)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_level_of_a_texture_is_the_first_of_which_a_pixel_covers_at_most_two_texels(samples: int) -> None:
    # Every level has a grey of its own; another texture lies before it in the same run of texels.
    sizes = [64 >> k for k in range(7)]
    before = np.full((21, 4), 7, np.uint8)
    run = [np.full((size * size, 4), 30 * k + 20, np.uint8) for k, size in enumerate(sizes)]
    textures = Textures(np.concatenate([before, *run]), np.array([21], np.int64), np.array([64], np.int32))
    camera = CameraIntrinsics(33, 33, 100.0, 100.0, 16.0, 16.0)
    for repeat in (1.0, 2.0, 6.0, 11.0, 25.0, 60.0, 150.0, 400.0, 5000.0):
        arrays = scene([floor(1.0, 0.0, repeat, "grey")], [np.eye(4)], camera=camera, textures=textures)
        drawn = draw(arrays, samples).rgb[0, 16, 16, 0]
        # At depth 2 a pixel is 2 cm wide, and `repeat` textures of 64 texels are 2 m wide.
        texels = (0.02 * repeat / 2.0 * 64.0) ** 2
        level = min(max(int(np.ceil(np.log(texels / 2.0) / np.log(4.0))), 0), 6)
        assert drawn == 30 * level + 20, (repeat, texels)


def test_a_near_texture_is_interpolated_between_its_texels() -> None:
    rng = np.random.default_rng(0)
    levels = [rng.integers(0, 256, (8 >> k, 8 >> k, 4)).astype(np.uint8) for k in range(4)]
    run = np.concatenate([level.reshape(-1, 4) for level in levels])
    textures = Textures(run, np.zeros(1, np.int64), np.array([8], np.int32))
    arrays = scene([floor(1.0, 0.0, 3.0, "noise")], [np.eye(4)], textures=textures)
    drawn = draw(arrays)
    eye, ray = rays(CAMERA, DOWN)
    place = eye + 2.0 * ray
    # Texel (i, j) has its middle at u = (j + 0.5) / 8 from the left and v = 1 - (i + 0.5) / 8 from below.
    x, y = (place[..., 0] + 1) / 2 * 3 * 8 - 0.5, (1 - (place[..., 1] + 1) / 2 * 3) * 8 - 0.5
    j, i = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = (x - j)[..., None], (y - i)[..., None]
    t = levels[0][..., :3].astype(float)
    expected = (t[i % 8, j % 8] * (1 - fx) + t[i % 8, (j + 1) % 8] * fx) * (1 - fy)
    expected += (t[(i + 1) % 8, j % 8] * (1 - fx) + t[(i + 1) % 8, (j + 1) % 8] * fx) * fy
    seen = drawn.segment[0] == 0
    assert seen.mean() > 0.5
    assert np.abs(drawn.rgb[0].astype(float) - expected)[seen].max() < 0.6


def test_matte_reflection_follows_the_cosine_and_the_colours() -> None:
    elevation = 0.7
    light = LightParams(0.3, elevation, (1.0, 0.5, 0.8), ambient=0.2, diffuse=0.6, specular=0.0, shadow=False)
    drawing = draw(scene([floor(1.0)], [np.eye(4)], light=light, rgb=((0.9, 0.8, 0.7),)))
    expected = np.array([0.9, 0.8, 0.7]) * (0.2 + 0.6 * np.sin(elevation) * np.array([1.0, 0.5, 0.8]))
    np.testing.assert_allclose(drawing.rgb[0, 60, 75] / 255, expected, atol=0.003)


def test_a_highlight_is_where_the_mirror_has_it() -> None:
    # From straight above, a light at 60 degrees is mirrored by a sphere where its normal stands at 75 degrees.
    elevation = np.radians(60)
    light = LightParams(0.0, float(elevation), ambient=0.0, diffuse=1e-3, specular=1.0, shadow=False)
    far = from_above(60.0)
    camera = CameraIntrinsics(121, 121, 60 * 50.0, 60 * 50.0, 60.0, 60.0)
    drawing = draw(scene([sphere(1.0)], [np.eye(4)], camera, far, light, material=(1.0, 400.0, 0.0, 0.0)), error_px=0.0)
    v, u = np.unravel_index(drawing.rgb[0, ..., 0].argmax(), (121, 121))
    from_middle = np.hypot(u - 60, v - 60) / 50.0
    assert from_middle == pytest.approx(np.cos(np.radians(75)), abs=0.05)


def test_the_shadow_of_a_box_ends_where_its_height_puts_it() -> None:
    # A box of 0.4 m on the floor, light from +x at 45 degrees: the shadow reaches 0.4 m past its far side.
    light = LightParams(0.0, np.pi / 4, ambient=0.3, diffuse=0.7, specular=0.0, shadow_strength=0.5)
    arrays = scene([floor(1.5), box((0.2, 0.2, 0.4))], [np.eye(4), at((0.5, 0.0, 0.2))], light=light)
    drawing = draw(arrays)
    eye, directions = rays(CAMERA, DOWN)
    ground = eye + directions * (-eye[2] / directions[..., 2])[..., None]
    on_floor = drawing.segment[0] == 0
    value = drawing.rgb[0, ..., 0] / 255
    lit, dark = 0.3 + 0.7 * np.sqrt(0.5), 0.3 + 0.5 * 0.7 * np.sqrt(0.5)
    x, y = ground[..., 0], ground[..., 1]
    shaded = on_floor & (np.abs(y) < 0.07) & (x < 0.37) & (x > 0.05)
    bright = on_floor & ((np.abs(y) > 0.14) | (x < -0.05) | (x > 0.65))
    assert shaded.sum() > 30
    np.testing.assert_allclose(value[shaded], dark, atol=0.01)
    np.testing.assert_allclose(value[bright], lit, atol=0.01)


def test_a_larger_source_gives_a_softer_shadow() -> None:
    def gradual(size_rad: float) -> int:
        light = LightParams(0.0, 0.8, ambient=0.2, diffuse=0.7, specular=0.0, shadow_strength=1.0, size_rad=size_rad)
        arrays = scene([floor(1.5), box((0.2, 0.2, 0.05))], [np.eye(4), at((0.2, 0.0, 0.5))], light=light)
        drawing = draw(arrays)
        value = drawing.rgb[0, ..., 0][drawing.segment[0] == 0] / 255
        lit = 0.2 + 0.7 * np.sin(0.8)
        return int(((value > 0.25) & (value < lit - 0.05)).sum())

    assert gradual(0.15) > 2 * gradual(0.0) + 20


def test_a_lamp_falls_off_with_the_square_of_the_distance_and_casts_shadows() -> None:
    light = LightParams(ambient=0.1, diffuse=0.8, specular=0.0, shadow=True, elevation_rad=-1.0)
    lamp = LampParams("lamp", True, (0.0, 0.0, 1.5), strength=1.0, shadow=True)
    value = draw(scene([floor(1.5)], [np.eye(4)], light=light, lamps=(lamp,))).rgb[0, ..., 0] / 255
    eye, directions = rays(CAMERA, DOWN)
    ground = eye + directions * (-eye[2] / directions[..., 2])[..., None]
    square = ground[..., 0] ** 2 + ground[..., 1] ** 2 + 1.5**2
    alone = 0.1 + 0.8 * 1.5 / np.sqrt(square) / square
    np.testing.assert_allclose(value, alone, atol=0.005)
    # A disc of a box half way up shades twice its size.
    arrays = scene([floor(1.5), box((0.2, 0.2, 0.01))], [np.eye(4), at((0.0, 0.0, 0.75))], light=light, lamps=(lamp,))
    drawing = draw(arrays)
    value, on_floor = drawing.rgb[0, ..., 0] / 255, drawing.segment[0] == 0
    inside = on_floor & (np.abs(ground[..., :2]).max(axis=-1) < 0.17)
    outside = on_floor & (np.abs(ground[..., :2]).max(axis=-1) > 0.24)
    assert inside.sum() > 50
    assert (value[inside] < 0.6 * alone[inside]).mean() > 0.97
    assert (np.abs(value - alone)[outside] < 0.01).mean() > 0.999


def test_a_matte_body_shows_the_background_darkened_by_shadows() -> None:
    light = LightParams(0.0, np.pi / 4, ambient=0.3, diffuse=0.7, specular=0.0, shadow_strength=1.0)
    background = BackgroundParams((0.5, 0.6, 0.7))
    shapes, poses = [floor(1.5), box((0.2, 0.2, 0.4))], [np.eye(4), at((0.5, 0.0, 0.2))]
    drawing = draw(scene(shapes, poses, light=light, background=background, matte=(0,)))
    on_floor = drawing.segment[0] == 0
    colours, counts = np.unique(drawing.rgb[0][on_floor], axis=0, return_counts=True)
    common = colours[np.argsort(counts)[-2:]] / 255
    plain = np.array([0.5, 0.6, 0.7])
    dark = plain * 0.3 / (0.3 + 0.7 * np.sqrt(0.5))
    np.testing.assert_allclose(common[1], plain, atol=0.004)
    np.testing.assert_allclose(common[0], dark, atol=0.01)


def test_a_sky_has_its_horizon_at_eye_level() -> None:
    level = look_at((0.0, 0.0, 1.0), (5.0, 0.0, 1.0))
    camera = CameraIntrinsics(64, 64, 60.0, 60.0, 31.5, 25.0)
    arrays = scene(
        [box((0.1, 0.1, 0.1))], [at((-5, 0, 0))], camera, level, background=BackgroundParams((1, 1, 1), "sky:3")
    )
    arrays = replace(arrays, background_sky=np.array([[[0, 0, 1], [1, 1, 1], [0, 1, 0], [0, 0, 0]]], np.float32))
    column = draw(arrays).rgb[0, :, 32].astype(int)
    assert column[:24, 2].min() == 255
    assert column[:20, 0].max() < 200
    assert column[30:, 1].min() == 255
    assert column[30:, 2].max() < 200
    assert (column[25] > 250).all()


def test_an_open_shape_is_seen_from_both_sides_and_a_closed_one_is_culled_alike() -> None:
    below = Pose("world", "camera", (0.0, 0.0, -2.0), (0.0, 0.0, 0.0, 1.0))
    drawing = draw(scene([floor(1.0)], [np.eye(4)], world_from_camera=below))
    assert (drawing.segment == 0).mean() > 0.9
    assert drawing.normal[0, 60, 75, 2] == pytest.approx(-1.0, abs=1e-5), "it faces the camera"


def test_simplified_levels_stay_within_the_error_asked_for() -> None:
    far = from_above(8.0)
    arrays = scene([sphere(0.5)], [np.eye(4)], world_from_camera=far)
    full = draw(arrays, error_px=0.0).segment[0] == 0
    for error_px in (0.25, 1.0):
        coarse = draw(arrays, error_px=error_px).segment[0] == 0
        outline = np.pi * 2 * 0.5 * 150 / 8
        assert (full != coarse).sum() <= error_px * outline + 4


def test_a_number_of_samples_that_is_no_square_is_refused() -> None:
    with pytest.raises(ValueError, match="samples must be 1, 4, 9 or 16, got 3"):
        CpuRasterizer(samples=3)
