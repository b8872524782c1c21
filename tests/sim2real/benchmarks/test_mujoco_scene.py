import importlib.util
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from envs.meshes.mesh import Mesh
from envs.rendering.cpu.rasterizer import CpuRasterizer
from envs.rendering.drawing import Drawing
from sim2real.benchmarks import mujoco_scene
from sim2real.benchmarks.mujoco_scene import MujocoScene, mujoco_contender, open_scene, part_obj
from sim2real.benchmarks.panda_scene import PandaScene

SIZE_PX, POSES = 224, 3


@pytest.fixture(scope="module")
def scene() -> Iterator[PandaScene]:
    made = PandaScene(POSES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def theirs(scene: PandaScene) -> Iterator[MujocoScene]:
    # Not importorskip: MuJoCo chooses its OpenGL while it is imported.
    if importlib.util.find_spec("mujoco") is None:
        pytest.skip("MuJoCo is not installed")
    made = open_scene(scene, SIZE_PX, True)
    if made is None:
        pytest.skip("MuJoCo finds no OpenGL: neither EGL nor what MUJOCO_GL names")
    yield made
    made.close()


def drawn(scene: PandaScene, shadow: bool) -> Drawing:
    rasterizer = CpuRasterizer(threads=1, samples=1, error_px=0.0)
    drawing = rasterizer.draw(scene.scene(SIZE_PX, shadow))
    rasterizer.close()
    return drawing


@pytest.fixture(scope="module")
def ours(scene: PandaScene) -> Drawing:
    return drawn(scene, True)


def test_bodies_are_where_ours_are(theirs: MujocoScene, ours: Drawing) -> None:
    for k in range(POSES):
        segments = theirs.segments(k)
        assert (segments == ours.segment[k]).mean() > 0.999
        arm, our_arm = segments == 1, ours.segment[k] == 1
        assert our_arm.mean() > 0.03
        assert (arm & our_arm).sum() / (arm | our_arm).sum() > 0.99


def test_surfaces_are_as_far_as_ours(theirs: MujocoScene, ours: Drawing) -> None:
    for k in range(POSES):
        same = theirs.segments(k) == ours.segment[k]
        error_m = np.abs(theirs.depth(k) - ours.depth_m[k])[same]
        assert np.percentile(error_m, 99) < 1e-4


def test_colours_and_textures_are_ours(theirs: MujocoScene, ours: Drawing) -> None:
    for k in range(POSES):
        apart = np.abs(theirs.draw(k).astype(float) - ours.rgb[k]).mean(axis=2)
        assert np.median(apart) < 1.5
        assert apart.mean() < 4.0


def test_shadows_fall_where_ours_fall(scene: PandaScene, theirs: MujocoScene, ours: Drawing) -> None:
    bright = open_scene(scene, SIZE_PX, False)
    assert bright is not None
    # On the table: on the arm itself, faces that the light grazes depend on each engine's own bias.
    table = ours.segment == 2
    expected = ((drawn(scene, False).rgb.astype(int) - ours.rgb).max(axis=3) > 10)[table]
    difference = np.array([bright.draw(k).astype(int) - theirs.draw(k) for k in range(POSES)])
    shadow = (difference.max(axis=3) > 10)[table]
    assert expected.sum() > 500
    assert shadow[expected].mean() > 0.85
    # MuJoCo leaves a few dots of shadow where there is none.
    assert shadow[~expected].mean() < 0.005
    bright.close()


def test_contender_draws_one_pose_after_another(scene: PandaScene, theirs: MujocoScene) -> None:
    contender = mujoco_contender(scene, 48, True, shadow_map=512)
    assert contender is not None
    assert contender.name == "MuJoCo, 1 sample, map 512"
    pictures = [contender.draw() for _ in range(POSES + 1)]
    assert pictures[0].shape == (contender.views, 48, 48, 3)
    assert pictures[0].dtype == np.uint8
    assert not np.array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[POSES])
    contender.close()
    contender.close()


def test_samples_smooth_edges(scene: PandaScene, theirs: MujocoScene) -> None:
    shades = []
    for samples in (1, 4):
        made = open_scene(scene, 48, False, samples=samples)
        assert made is not None
        shades.append(len(np.unique(made.draw(0).reshape(-1, 3), axis=0)))
        made.close()
    assert shades[1] > shades[0]


def test_none_without_mujoco(scene: PandaScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    assert mujoco_contender(scene, 48, True) is None


@pytest.mark.parametrize("error", [ImportError, AttributeError, RuntimeError])
def test_none_where_opengl_does_not_start(
    scene: PandaScene, theirs: MujocoScene, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def renderer(*_: object) -> None:
        raise error("no display")

    monkeypatch.setattr(sys.modules["mujoco"], "Renderer", renderer)
    assert mujoco_contender(scene, 48, True) is None


def test_mistake_in_the_model_is_not_hidden(
    scene: PandaScene, theirs: MujocoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mujoco_scene, "scene_mjcf", lambda *_: ("<mujoco><wrong/></mujoco>", {}, np.zeros(0)))
    with pytest.raises(ValueError, match="wrong"):
        mujoco_contender(scene, 48, True)


def test_parts_hold_every_triangle_once(scene: PandaScene) -> None:
    for shape in scene.arrays.shapes.shapes:
        mesh = shape.meshes[0]
        texts = [part_obj(mesh, n) for n in range(len(mesh.parts))]
        faces = sum(text.count(b"\nf ") for text in texts if text is not None)
        assert len(mesh.triangles) - faces <= 0.002 * len(mesh.triangles)


def test_part_is_a_wavefront_file_of_its_own_points() -> None:
    points = np.array([[9, 9, 9], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    mesh = Mesh(
        points,
        np.tile(np.array([0, 0, 1], np.float32), (5, 1)),
        points[:, :2] / 2,
        # The second triangle is of another part, the last one has no area.
        np.array([[1, 2, 3], [0, 1, 2], [1, 3, 4], [2, 2, 3]], np.int32),
        np.array([0, 1, 0, 0], np.int32),
    )
    text = part_obj(mesh, 0)
    assert text is not None
    lines = text.decode().splitlines()
    assert [line for line in lines if line.startswith("v ")] == ["v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1"]
    assert [line for line in lines if line.startswith("vt ")][1] == "vt 0.5 0"
    assert [line for line in lines if line.startswith("f ")] == ["f 1/1/1 2/2/2 3/3/3", "f 1/1/1 3/3/3 4/4/4"]
    # A lone triangle has too few points for MuJoCo.
    assert part_obj(mesh, 1) is None
