"""The benchmark's scene in MuJoCo: the same meshes, poses, camera and light, drawn by MuJoCo's own renderer."""

from __future__ import annotations

import importlib
import os
from functools import partial
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from calibration.world import LightParams
from envs.meshes.mesh import Mesh, Part
from envs.rendering.look_arrays import light_arrays
from envs.textures import texture_picture
from sim2real.benchmarks.contenders import Contender
from sim2real.benchmarks.panda_scene import FAR_M, NEAR_M, VERTICAL_FOV_RAD, PandaScene

# MuJoCo needs four points to call something a mesh, and refuses triangles of no area, square metres.
_FEWEST_POINTS = 4
_SMALLEST_M2 = 1e-13
# What is larger is floor, which shadows fall on; the shadow map covers the rest, metres.
_LARGEST_CASTER_M = 10.0
# Our exponent of Blinn and Phong over MuJoCo's shininess.
_EXPONENT_OF_SHININESS_1 = 128.0


class MujocoScene:
    """The scene in MuJoCo, with its renderer.

    Every instance is a mocap body at its place in the world, so that both engines draw exactly the same geometry. A
    body has one geom for each surface part, since a MuJoCo geom has one colour. The light is the same but for its
    shadow, which takes all of it away: MuJoCo has no strength of a shadow.

    Attributes:
        segment: int16 (G,), what our segmentation shows where MuJoCo's shows geom G.
    """

    segment: NDArray[np.int16]

    def __init__(
        self, mujoco: Any, scene: PandaScene, size_px: int, shadow: bool, shadow_map: int, samples: int
    ) -> None:
        """Build the model and start the renderer.

        Args:
            mujoco: the module.
            scene: read once, not kept.
            size_px: of the square pictures.
            shadow: whether bodies cast shadows.
            shadow_map: width of the shadow map, pixels; MuJoCo's default is 4096.
            samples: a pixel; MuJoCo's default is 4.
        """
        self._mujoco = mujoco
        text, assets, self.segment = scene_mjcf(scene, size_px, shadow_map, samples)
        self._model = mujoco.MjModel.from_xml_string(text, assets)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        count, instances = scene.poses.shape[:2]
        turn = Rotation.from_matrix(scene.poses[..., :3].reshape(-1, 3, 3)).as_quat(scalar_first=True)
        self._position_m = scene.poses[..., 3].astype(np.float64)
        self._turn = turn.reshape(count, instances, 4)
        self._renderer = mujoco.Renderer(self._model, size_px, size_px)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadow

    def __len__(self) -> int:
        """Return the number of poses."""
        return len(self._turn)

    def draw(self, k: int) -> NDArray[np.uint8]:
        """Return the picture (H, W, 3) of pose `k`."""
        return np.asarray(self._render(k), np.uint8)

    def segments(self, k: int) -> NDArray[np.int16]:
        """Return the segmentation (H, W) of pose `k` in our numbers; -1 where no body is."""
        self._renderer.enable_segmentation_rendering()
        geom = self._render(k)[..., 0]
        self._renderer.disable_segmentation_rendering()
        return np.where(geom < 0, np.int16(-1), self.segment[geom])

    def depth(self, k: int) -> NDArray[np.float32]:
        """Return the depth (H, W) of pose `k` along z of the camera, metres."""
        self._renderer.enable_depth_rendering()
        depth = np.asarray(self._render(k), np.float32)
        self._renderer.disable_depth_rendering()
        return depth

    def close(self) -> None:
        """Release the renderer; twice is fine."""
        self._renderer.close()

    def _render(self, k: int) -> Any:
        self._data.mocap_pos[:], self._data.mocap_quat[:] = self._position_m[k], self._turn[k]
        self._mujoco.mj_kinematics(self._model, self._data)
        self._renderer.update_scene(self._data, "camera")
        return self._renderer.render()


def mujoco_contender(
    scene: PandaScene, size_px: int, shadow: bool, shadow_map: int = 1024, samples: int = 1
) -> Contender | None:
    """Return MuJoCo's renderer, one view a call, or None where it is not installed or finds no OpenGL.

    MUJOCO_GL chooses the way to OpenGL (egl, osmesa, glfw); EGL where it is not set, which needs no display. MuJoCo
    reads it when it is first imported in a process.

    Args:
        scene: read once.
        size_px: of the square pictures.
        shadow: whether bodies cast shadows.
        shadow_map: width of the shadow map, pixels; MuJoCo's default is 4096.
        samples: a pixel; MuJoCo's default is 4.
    """
    made = open_scene(scene, size_px, shadow, shadow_map, samples)
    if made is None:
        return None
    name = f"MuJoCo, {samples} sample{'s' if samples > 1 else ''}" + (f", map {shadow_map}" if shadow else "")
    turn = {"k": 0}

    def step() -> NDArray[np.uint8]:
        turn["k"] = (turn["k"] + 1) % len(made)
        return made.draw(turn["k"])[None]

    return Contender(name, 1, step, made.close)


def open_scene(
    scene: PandaScene, size_px: int, shadow: bool, shadow_map: int = 1024, samples: int = 1
) -> MujocoScene | None:
    """Return the scene in MuJoCo, or None where that is not installed or finds no OpenGL."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        mujoco = importlib.import_module("mujoco")
        # Imported after MuJoCo has told PyOpenGL the platform.
        gl_error = importlib.import_module("OpenGL.error").Error
    # A RuntimeError is MuJoCo's answer to a MUJOCO_GL that it does not know.
    except (ImportError, RuntimeError):
        return None
    make = partial(MujocoScene, mujoco, scene, size_px, shadow, shadow_map, samples)
    try:
        return make()
    # Each way to OpenGL says in its own words that there is none; a missing library is an AttributeError of PyOpenGL.
    except (ImportError, AttributeError, RuntimeError, OSError, gl_error, mujoco.FatalError):
        return None


def scene_mjcf(
    scene: PandaScene, size_px: int, shadow_map: int, samples: int
) -> tuple[str, dict[str, bytes], NDArray[np.int16]]:
    """Return the scene as MJCF, the files that it names, and our segment number of each geom."""
    arrays = scene.arrays.shapes
    assets: dict[str, bytes] = {}
    root = ElementTree.Element("mujoco")
    _add(root, "option", gravity="0 0 0")
    centre, reach_m = _casters(scene)
    # Lengths of the map are in units of the extent, which is set to a metre.
    _add(root, "statistic", extent="1", center=_text(centre))
    visual = _add(root, "visual")
    _add(visual, "global", offwidth=str(size_px), offheight=str(size_px))
    _add(visual, "quality", shadowsize=str(shadow_map), offsamples=str(0 if samples == 1 else samples))
    _add(visual, "map", znear=str(NEAR_M), zfar=str(FAR_M), shadowclip=str(reach_m))
    light = LightParams()
    # What a light of its own gives as ambient, its shadow takes away.
    ambient = _text(light.ambient * np.ones(3))
    _add(visual, "headlight", ambient=ambient, diffuse="0 0 0", specular="0 0 0")
    asset, world = _add(root, "asset"), _add(root, "worldbody")
    _add_camera(world, scene)
    _add_light(world, light, centre, reach_m)
    known: set[str] = set()
    segments: list[int] = []
    for i, (shape, body, rgb) in enumerate(zip(arrays.shape, arrays.body, arrays.rgb, strict=True)):
        mocap = _add(world, "body", name=f"instance_{i}", mocap="true")
        mesh = arrays.shapes[shape].meshes[0]
        for n, part in enumerate(mesh.parts):
            name = f"shape_{shape}_part_{n}"
            if name not in known:
                wavefront = part_obj(mesh, n)
                if wavefront is None:
                    continue
                known.add(name)
                assets[f"{name}.obj"] = wavefront
                _add(asset, "mesh", name=name, file=f"{name}.obj", inertia="shell")
            _add_material(asset, assets, f"{name}_of_{i}", part, rgb)
            _add(mocap, "geom", type="mesh", mesh=name, material=f"{name}_of_{i}", contype="0", conaffinity="0")
            segments.append(int(body))
    return ElementTree.tostring(root, encoding="unicode"), assets, np.array(segments, np.int16)


def part_obj(mesh: Mesh, part: int) -> bytes | None:
    """Return one surface part of a mesh as a Wavefront file, or None for one with fewer than four points."""
    corners = mesh.positions_m[mesh.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    used, triangles = np.unique(
        mesh.triangles[(mesh.triangle_part == part) & (area > _SMALLEST_M2)], return_inverse=True
    )
    if len(used) < _FEWEST_POINTS:
        return None
    lines = [f"v {x:.8g} {y:.8g} {z:.8g}" for x, y, z in mesh.positions_m[used].tolist()]
    lines += [f"vt {u:.8g} {v:.8g}" for u, v in mesh.uvs[used].tolist()]
    lines += [f"vn {x:.8g} {y:.8g} {z:.8g}" for x, y, z in mesh.normals[used].tolist()]
    lines += [f"f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}" for a, b, c in (triangles.reshape(-1, 3) + 1).tolist()]
    return ("\n".join(lines) + "\n").encode()


def _add_camera(world: ElementTree.Element, scene: PandaScene) -> None:
    # MuJoCo's camera looks along -z with y up; its field of view is in degrees, whatever other angles are in.
    turn = scene.view.rotation.as_matrix()
    axes = _text(np.concatenate([turn[:, 0], -turn[:, 1]]))
    position = _text(np.asarray(scene.view.position_m))
    _add(world, "camera", name="camera", pos=position, xyaxes=axes, fovy=str(np.degrees(VERTICAL_FOV_RAD)))


def _add_light(world: ElementTree.Element, light: LightParams, centre: NDArray[np.float64], reach_m: float) -> None:
    towards = light_arrays([light], [()])["light"][0, 0, :3].astype(np.float64)
    rgb = np.array(light.rgb)
    strength = {"ambient": "0 0 0", "diffuse": _text(light.diffuse * rgb), "specular": _text(light.specular * rgb)}
    # The place of a distant light decides only which box the shadow map covers.
    place = _text(centre + 2 * reach_m * towards)
    _add(world, "light", type="directional", pos=place, dir=_text(-towards), castshadow="true", **strength)


def _add_material(
    asset: ElementTree.Element, assets: dict[str, bytes], name: str, part: Part, rgb: NDArray[np.float32]
) -> None:
    options = {}
    if part.texture != "none":
        file = f"{name}.png"
        picture = cv2.cvtColor(texture_picture(part.texture), cv2.COLOR_RGB2BGR)
        assets[file] = cv2.imencode(".png", picture)[1].tobytes()
        _add(asset, "texture", name=name, type="2d", file=file)
        options["texture"] = name
    colour = _text(np.array([*(np.array(part.rgb) * rgb), 1.0]))
    shininess = str(30.0 / _EXPONENT_OF_SHININESS_1)
    _add(asset, "material", name=name, rgba=colour, specular="1", shininess=shininess, **options)


def _casters(scene: PandaScene) -> tuple[NDArray[np.float64], float]:
    """Return centre and radius, metres, of a ball around all bodies but the floor in all poses."""
    shapes = scene.arrays.shapes
    bounds = [shapes.shapes[s].bounds() for s in shapes.shape]
    small = [i for i, (_, radius) in enumerate(bounds) if radius < _LARGEST_CASTER_M]
    centres = np.array([bounds[i][0] for i in small])
    radii = np.array([bounds[i][1] for i in small])
    poses = scene.poses[:, small].astype(np.float64)
    places = np.einsum("nijk,ik->nij", poses[..., :3], centres) + poses[..., 3]
    middle = (places.min(axis=(0, 1)) + places.max(axis=(0, 1))) / 2
    return middle, float((np.linalg.norm(places - middle, axis=2) + radii).max())


def _add(parent: ElementTree.Element, tag: str, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, tag, attributes)


def _text(numbers: NDArray[np.float64]) -> str:
    return " ".join(f"{n:.9g}" for n in numbers.tolist())
