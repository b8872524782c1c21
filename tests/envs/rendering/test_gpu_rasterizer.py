import dataclasses
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from calibration.camera import CameraIntrinsics
from calibration.errors import InputError
from calibration.kinematics import nominal_world
from calibration.pose import look_at
from calibration.rig_file import load_rig
from calibration.view import CameraView
from envs.meshes.mesh import Mesh, MeshLevels, Part
from envs.meshes.primitives import box
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.cpu.rasterizer import map_size as cpu_map_size
from envs.rendering.cpu_renderer import CpuRenderer
from envs.rendering.drawing import Drawing
from envs.rendering.gpu import context, rasterizer
from envs.rendering.gpu.levels import draw_commands
from envs.rendering.gpu.packing import used_pictures
from envs.rendering.gpu.pipeline import Pipeline
from envs.rendering.gpu.rasterizer import GpuRasterizer
from envs.rendering.gpu.shaders.shadow_maps import map_size
from envs.rendering.gpu_renderer import GpuRenderer
from envs.rendering.rig_arrays import RigArrays
from envs.rendering.scene_arrays import NO_TEXTURE, PICTURE, SKY, SceneArrays, Textures, pack_geometry
from sim2real.presets import load_preset, rig_spec
from sim2real.randomization import WorldSampler

RIGS = ["cube_on_table", "psm_tool", "panda_tabletop"]


@pytest.fixture(scope="module")
def gpu() -> Iterator[GpuRasterizer]:
    try:
        made = GpuRasterizer()
    except InputError as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cpu() -> CpuRasterizer:
    return CpuRasterizer(threads=1)


def rig_scene(name: str, preset: str, count: int, size: tuple[int, int] = (96, 72)) -> SceneArrays:
    rig = load_rig(name)
    sampler = WorldSampler(rig_spec(rig, load_preset(preset)), nominal_world(rig))
    worlds = [sampler.sample(7, k) for k in range(count)]
    camera = dataclasses.replace(rig.camera.intrinsics().resized(*size), distortion=(0.0,) * 5)
    views = [CameraView(camera, rig.camera.world_from_camera()).moved(w.camera) for w in worlds]
    views = [dataclasses.replace(v, intrinsics=dataclasses.replace(v.intrinsics, distortion=(0.0,) * 5)) for v in views]
    return RigArrays(rig).arrays(worlds, views)


def lit_scene(name: str, count: int) -> SceneArrays:
    """Worlds with a lamp, a sky, matte ground, metal, and hard and soft shadows of both kinds of light."""
    scene = rig_scene(name, "wide", count)
    lights = scene.light.shape[1] + 1
    light = np.zeros((count, lights, 4), np.float32)
    light[:, :-1] = scene.light
    light[:, -1] = 0.4, -0.3, 0.9, 1.0
    diffuse = np.concatenate([scene.light_diffuse, np.full((count, 1, 3), 0.4, np.float32)], axis=1)
    specular = np.concatenate([scene.light_specular, np.full((count, 1, 3), 0.3, np.float32)], axis=1)
    soft = np.arange(count)[:, None] % 2
    shadow = np.stack([np.full((count, lights), 0.8), np.broadcast_to(soft * 0.05, (count, lights))], axis=-1)
    radius = scene.geometry.shape_radius_m[scene.shape] * np.linalg.norm(scene.world_from_instance[..., 0], axis=-1)
    material = scene.material.copy()
    material[np.arange(count), radius.argmax(axis=1), 3] = 1.0
    material[..., 2] = 0.5
    colours = np.array([[0.3, 0.5, 0.9], [0.8, 0.8, 0.85], [0.4, 0.35, 0.3], [0.5, 0.4, 0.2]], np.float32)
    return dataclasses.replace(
        scene,
        light=light,
        light_diffuse=diffuse,
        light_specular=specular,
        light_shadow=shadow.astype(np.float32),
        material=material,
        background_kind=np.full(count, SKY, np.int32),
        background_sky=np.broadcast_to(colours, (count, 4, 3)),
    )


def assert_alike(got: Drawing, expected: Drawing, worst_view: float = 0.99) -> None:
    agree = got.segment == expected.segment
    assert agree.mean() >= 0.995
    assert agree.mean(axis=(1, 2)).min() >= worst_view
    body = (expected.segment >= 0) & agree
    assert body.any()
    assert np.median(np.abs(got.depth_m[body] - expected.depth_m[body])) < 1e-4
    np.testing.assert_array_equal(np.isinf(got.depth_m), got.segment < 0)
    colour = np.abs(got.rgb.astype(np.int32) - expected.rgb).mean(axis=(1, 2, 3))
    assert colour.max() < 1.5
    assert (got.normal is None) == (expected.normal is None)
    if got.normal is not None and expected.normal is not None:
        assert np.abs(got.normal - expected.normal)[body].mean() < 1e-3


@pytest.mark.parametrize("name", RIGS)
def test_pictures_are_those_of_the_cpu(gpu: GpuRasterizer, cpu: CpuRasterizer, name: str) -> None:
    scene = rig_scene(name, "wide", 4)
    assert (scene.light_shadow[..., 0] > 0).any()
    assert (scene.texture != NO_TEXTURE).any()
    assert_alike(gpu.draw(scene, True), cpu.draw(scene, True))


@pytest.mark.parametrize("name", RIGS)
def test_lamps_sky_matte_and_soft_shadows_are_those_of_the_cpu(
    gpu: GpuRasterizer, cpu: CpuRasterizer, name: str
) -> None:
    scene = lit_scene(name, 4)
    drawn = gpu.draw(scene)
    assert_alike(drawn, cpu.draw(scene))
    # The shadows themselves are there: without them, pictures differ.
    bare = dataclasses.replace(scene, light_shadow=np.zeros_like(scene.light_shadow))
    assert np.abs(gpu.draw(bare).rgb.astype(np.int32) - drawn.rgb).mean() > 0.05


@pytest.mark.parametrize(("samples", "size"), [(1, (37, 23)), (9, (50, 61)), (16, (9, 7))])
def test_samples_and_odd_sizes(cpu: CpuRasterizer, gpu: GpuRasterizer, samples: int, size: tuple[int, int]) -> None:
    del gpu  # skips where there is no OpenGL
    scene = rig_scene("panda_tabletop", "wide", 3, size)
    other = GpuRasterizer(samples)
    drawn = other.draw(scene, True)
    other.close()
    assert_alike(drawn, CpuRasterizer(1, samples).draw(scene, True))


def test_levels_of_detail_are_those_of_the_cpu(gpu: GpuRasterizer) -> None:
    del gpu
    scene = rig_scene("panda_tabletop", "wide", 2)
    coarse, fine = GpuRasterizer(error_px=20.0), GpuRasterizer(error_px=0.05)
    pictures = coarse.draw(scene), fine.draw(scene)
    coarse.close()
    fine.close()
    assert (pictures[0].segment != pictures[1].segment).mean() > 0.001
    assert_alike(pictures[0], CpuRasterizer(1, error_px=20.0).draw(scene))
    assert_alike(pictures[1], CpuRasterizer(1, error_px=0.05).draw(scene))


def test_a_split_into_batches_changes_nothing_but_rounding(gpu: GpuRasterizer, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = rig_scene("cube_on_table", "wide", 7, (48, 32))
    whole = gpu.draw(scene, True)
    monkeypatch.setattr(rasterizer, "_SAMPLES_A_BATCH", 2 * 96 * 96 * scene.light.shape[1])
    assert gpu._batch_size(scene, True) == 2
    split = gpu.draw(scene, True)
    assert_alike(split, whole, 0.999)


def test_geometry_and_textures_are_sent_once(gpu: GpuRasterizer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    load = Pipeline._load_geometry
    monkeypatch.setattr(Pipeline, "_load_geometry", lambda self, g: (sent.append(g), load(self, g))[1])
    scene = rig_scene("cube_on_table", "wide", 2, (32, 32))
    first = gpu.draw(scene)
    np.testing.assert_array_equal(gpu.draw(scene).rgb, first.rgb)
    assert sent == [scene.geometry]
    gpu.draw(rig_scene("psm_tool", "wide", 1, (32, 32)))
    np.testing.assert_array_equal(gpu.draw(scene).rgb, first.rgb)
    assert len(sent) == 3


def plain_scene(shapes: list[MeshLevels], poses: list[Any], size: tuple[int, int] = (64, 48)) -> SceneArrays:
    """One view along the world's x axis from the origin, of grey shapes with no light but from everywhere."""
    camera = CameraIntrinsics(*size, 60.0, 60.0, size[0] / 2 - 0.5, size[1] / 2 - 0.5)
    turn = look_at((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)).inverse().matrix()[:3]
    count = len(shapes)
    return SceneArrays(
        geometry=pack_geometry(shapes, {}),
        textures=Textures(np.zeros((0, 4), np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int32)),
        camera=camera,
        focal_px=np.array([[camera.fx_px, camera.fy_px, camera.cx_px, camera.cy_px]], np.float32),
        camera_from_world=turn[None].astype(np.float32),
        shape=np.arange(count, dtype=np.int32)[None],
        present=np.ones((1, count), np.bool_),
        world_from_instance=np.array(poses, np.float32).reshape(1, count, 3, 4),
        segment=np.arange(count, dtype=np.int16)[None] + 300,
        rgb=np.full((1, count, 3), 0.5, np.float32),
        texture=np.full((1, count), NO_TEXTURE, np.int32),
        material=np.zeros((1, count, 4), np.float32),
        ambient=np.ones((1, 3), np.float32),
        light=np.zeros((1, 0, 4), np.float32),
        light_diffuse=np.zeros((1, 0, 3), np.float32),
        light_specular=np.zeros((1, 0, 3), np.float32),
        light_shadow=np.zeros((1, 0, 2), np.float32),
        background_kind=np.zeros(1, np.int32),
        background_rgb=np.array([[0.2, 0.4, 0.6]], np.float32),
        background_picture=np.zeros(1, np.int32),
        background_sky=np.zeros((1, 4, 3), np.float32),
        pictures=np.zeros((0, size[1], size[0], 3), np.uint8),
    )


def at(x: float, y: float = 0.0, z: float = 0.0) -> Any:
    return np.column_stack([np.eye(3), [x, y, z]])


def test_a_box_is_where_it_must_be(gpu: GpuRasterizer) -> None:
    drawn = gpu.draw(plain_scene([box((0.2, 0.2, 0.2))], [at(1.1)]), True)
    rows, columns = np.nonzero(drawn.segment[0] == 300)
    # The face at 1 m is 12 px wide around the middle of 64 x 48.
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (26, 37, 18, 29)
    assert len(rows) == 144
    np.testing.assert_allclose(drawn.depth_m[0, 18:30, 26:38], 1.0, atol=1e-6)
    assert drawn.normal is not None
    np.testing.assert_allclose(drawn.normal[0, 24, 32], [0.0, 0.0, -1.0], atol=1e-6)
    np.testing.assert_array_equal(drawn.rgb[0, 24, 32], [128, 128, 128])
    np.testing.assert_array_equal(drawn.rgb[0, 0, 0], [51, 102, 153])
    assert np.isinf(drawn.depth_m[0, 0, 0])
    assert drawn.segment[0, 0, 0] == -1


def test_both_sides_of_an_open_shape_and_one_of_a_closed_one(gpu: GpuRasterizer, cpu: CpuRasterizer) -> None:
    corners = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1]], np.float32)
    sheet = Mesh(
        corners,
        np.tile(np.array([1, 0, 0], np.float32), (4, 1)),
        np.zeros((4, 2), np.float32),
        np.array([[0, 1, 2], [0, 2, 3]], np.int32),
        np.zeros(2, np.int32),
        (Part((0.5, 0.5, 0.5)),),
    )
    # The camera is inside a closed box, whose inside cannot be seen, and looks at the back of the sheet.
    scene = plain_scene([MeshLevels((sheet,)), box((8.0, 8.0, 8.0))], [at(3.0), at(0.0)])
    drawn = gpu.draw(scene, True)
    assert set(np.unique(drawn.segment)) == {-1, 300}
    assert drawn.normal is not None
    np.testing.assert_allclose(drawn.normal[0, 24, 32], [0.0, 0.0, -1.0], atol=1e-6)
    assert_alike(drawn, cpu.draw(scene, True))


def test_what_is_nearer_than_the_near_plane_is_cut(gpu: GpuRasterizer) -> None:
    # A floor 1 cm below the camera, which is seen from 2 cm on.
    drawn = gpu.draw(plain_scene([box((4.0, 4.0, 0.02))], [at(1.0, 0.0, -0.02)]))
    depth = drawn.depth_m[np.isfinite(drawn.depth_m)]
    assert 0.02 <= depth.min() < 0.03
    assert depth.max() > 0.5


@pytest.mark.parametrize("what", ["views", "instances", "present"])
def test_nothing_to_draw(gpu: GpuRasterizer, what: str) -> None:
    scene = plain_scene([box((0.2, 0.2, 0.2))], [at(1.1)])
    if what == "views":
        drawn = gpu.draw(rasterizer._views(scene, 0, 0), True)
        assert drawn.rgb.shape == (0, 48, 64, 3)
        return
    if what == "instances":
        scene = plain_scene([], [])
    else:
        scene = dataclasses.replace(scene, present=np.zeros((1, 1), np.bool_))
    drawn = gpu.draw(scene, True)
    assert (drawn.segment == -1).all()
    assert np.isinf(drawn.depth_m).all()
    np.testing.assert_array_equal(drawn.rgb[0, 5, 5], [51, 102, 153])
    assert drawn.normal is not None
    assert not drawn.normal.any()


def test_pictures_behind_bodies_are_shown_pixel_by_pixel(gpu: GpuRasterizer) -> None:
    scene = plain_scene([], [], (61, 43))
    pictures = np.random.default_rng(0).integers(0, 256, (3, 43, 61, 3), dtype=np.uint8)
    shown = np.array([2, 0], np.int32)
    two = {
        name: np.repeat(getattr(scene, name), 2, axis=0)
        for name in (f.name for f in dataclasses.fields(scene))
        if name not in rasterizer._WHOLE
    }
    two |= {"background_kind": np.full(2, PICTURE, np.int32), "background_rgb": np.ones((2, 3), np.float32)}
    two |= {"background_picture": shown, "pictures": pictures}
    scene = dataclasses.replace(scene, **two)
    assert len(used_pictures(scene)[0]) == 2
    np.testing.assert_array_equal(gpu.draw(scene).rgb, pictures[shown])


def test_commands_draw_closed_shapes_first_and_every_pair_once() -> None:
    boxes = pack_geometry([box((1.0, 1.0, 1.0))] * 3, {})
    open_level = np.array([True, False, False])
    level = np.array([2, 0, 2, 0, 2])
    pair = np.array([[0, 5], [0, 6], [1, 7], [1, 8], [2, 9]], np.uint32)
    commands, ordered, closed = draw_commands(boxes, open_level, level, pair)
    assert closed == 1
    # Corners, instances, first index, first vertex, first pair.
    np.testing.assert_array_equal(commands, [[36, 3, 72, 48, 2], [36, 2, 0, 0, 0]])
    np.testing.assert_array_equal(ordered[:, 1], [6, 8, 5, 7, 9])


def test_any_thread_can_draw_and_a_closed_one_says_so(gpu: GpuRasterizer) -> None:
    del gpu
    scene = plain_scene([box((0.2, 0.2, 0.2))], [at(1.1)])
    other = GpuRasterizer()
    drawn: list[Drawing] = [other.draw(scene)]
    thread = threading.Thread(target=lambda: drawn.append(other.draw(scene)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(drawn[0].rgb, drawn[1].rgb)
    other.close()
    other.close()
    with pytest.raises(ValueError, match="closed"):
        other.draw(scene)


def test_the_renderer_draws_through_the_lens(gpu: GpuRasterizer) -> None:
    del gpu
    rig = load_rig("panda_tabletop")
    world = nominal_world(rig)
    camera = dataclasses.replace(rig.camera.intrinsics().resized(64, 48), distortion=(-0.2, 0.05, 0.0, 0.0, 0.0))
    ours, theirs = GpuRenderer(rig), CpuRenderer(rig, threads=1)
    got, expected = ours.render([world], camera, True), theirs.render([world], camera, True)
    ours.close()
    theirs.close()
    assert (got.segmentation == expected.segmentation).mean() > 0.995
    assert np.abs(got.rgb.astype(np.int32) - expected.rgb).mean() < 1.5
    assert got.views == expected.views
    assert got.normals is not None


def test_shadow_maps_have_the_size_of_the_cpu_ones() -> None:
    for size in ((32, 32), (128, 96), (160, 200), (640, 480)):
        assert map_size(*size) == cpu_map_size(*size)


def test_what_is_missing_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "find_library", lambda name: None)
    with pytest.raises(InputError) as caught:
        GpuRasterizer()
    assert str(caught.value) == (
        "renderer gpu needs OpenGL through EGL, but the library libEGL is missing: "
        "install libegl1 and the driver of the graphics card, or use --renderer cpu"
    )
    monkeypatch.setattr(context, "find_library", lambda name: f"lib{name}.so.1")
    monkeypatch.setattr(context.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"moderngl is missing: install sim2real\[gpu\], or use --renderer cpu"):
        GpuRasterizer()


def test_a_driver_that_fails_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def create_context(**settings: Any) -> Any:
            raise Exception("eglInitialize failed (0x3001)")

    monkeypatch.setattr(context, "missing", lambda: None)
    monkeypatch.setattr(context.importlib, "import_module", lambda name: Broken)
    with pytest.raises(InputError, match=r"OpenGL 4\.3 .* \(eglInitialize failed \(0x3001\)\): install the driver"):
        GpuRasterizer()


def test_samples_must_be_a_square() -> None:
    with pytest.raises(ValueError, match="1, 4, 9 or 16, got 8"):
        GpuRasterizer(8)
