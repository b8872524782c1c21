"""PyBullet's own software renderer, TinyRenderer: slow, independent, everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import BackgroundParams, LightParams, WorldParams
from envs.rendering.opengl import depth_from_buffer, projection_matrix, view_matrix
from envs.rendering.renderer import Images
from envs.scene import Scene
from envs.simulation import Simulation
from envs.textures import texture_picture

NEAR_M, FAR_M = 0.02, 20.0
# TinyRenderer samples pixels at their lower left corner, half a pixel off the pinhole model.
_SAMPLE_PX = -0.5


class TinyRenderer:
    """Draws worlds of one rig, one after another, in its own physics client."""

    def __init__(self, rig: Rig) -> None:
        """Build the rig's scene.

        Raises:
            InputError: the rig's URDF cannot be loaded.
        """
        self._simulation = Simulation()
        self._rig = rig
        self._scene = Scene(self._simulation, rig)

    def close(self) -> None:
        """Disconnect; twice is fine."""
        self._simulation.close()

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        A camera with distortion is drawn wide without it and then warped.
        """
        height, width = camera.height_px, camera.width_px
        rgb = np.empty((len(worlds), height, width, 3), np.uint8)
        depth = np.empty((len(worlds), height, width), np.float32)
        segmentation = np.empty((len(worlds), height, width), np.int16)
        views = []
        for k, world in enumerate(worlds):
            view = CameraView(camera, self._rig.camera.world_from_camera()).moved(world.camera)
            index = self._scene.apply(world)
            rgb[k], depth[k], segmentation[k] = self._draw(world, view, index)
            views.append(view)
        return Images(rgb, depth, segmentation, tuple(views))

    def _draw(
        self, world: WorldParams, view: CameraView, index: dict[int, int]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int16]]:
        camera = view.intrinsics
        maps = None
        if any(camera.distortion):
            camera, maps = _undistorted(camera)
        rgb, depth, bodies = self._pixels(world.light, camera, view)
        segmentation = np.full(bodies.shape, -1, np.int16)
        for body, k in index.items():
            segmentation[bodies == body] = k
        rgb = _over_background(rgb, bodies < 0, world.background)
        if maps is not None:
            rgb = cv2.remap(rgb, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)
            depth = cv2.remap(depth, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
            segmentation = cv2.remap(segmentation, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(
                np.int16
            )
        return rgb, depth, segmentation

    def _pixels(
        self, light: LightParams, camera: CameraIntrinsics, view: CameraView
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
        p = self._simulation.pybullet
        towards = (
            math.cos(light.elevation_rad) * math.cos(light.azimuth_rad),
            math.cos(light.elevation_rad) * math.sin(light.azimuth_rad),
            math.sin(light.elevation_rad),
        )
        _, _, colours, buffer, bodies = p.getCameraImage(
            camera.width_px,
            camera.height_px,
            viewMatrix=view_matrix(view.world_from_camera).T.ravel().tolist(),
            projectionMatrix=projection_matrix(camera, NEAR_M, FAR_M, _SAMPLE_PX).T.ravel().tolist(),
            lightDirection=towards,
            lightColor=light.rgb,
            lightAmbientCoeff=light.ambient,
            lightDiffuseCoeff=light.diffuse,
            lightSpecularCoeff=light.specular,
            shadow=int(light.shadow),
            renderer=p.ER_TINY_RENDERER,
            physicsClientId=self._simulation.client,
        )
        shape = (camera.height_px, camera.width_px)
        rgb = np.reshape(np.asarray(colours, np.uint8), (*shape, 4))[..., :3]
        depth = depth_from_buffer(np.reshape(np.asarray(buffer, np.float32), shape), NEAR_M, FAR_M)
        ids = np.reshape(np.asarray(bodies, np.int32), shape)
        return np.ascontiguousarray(rgb), np.where(ids < 0, np.float32(np.inf), depth), ids


def _over_background(
    rgb: NDArray[np.uint8], empty: NDArray[np.bool_], background: BackgroundParams
) -> NDArray[np.uint8]:
    """Return the picture with what no body covers replaced; TinyRenderer leaves it white."""
    colour = np.asarray(background.rgb)
    if background.texture == "none":
        rgb[empty] = np.clip(255.0 * colour, 0, 255).astype(np.uint8)
    else:
        height, width = empty.shape
        picture = cv2.resize(texture_picture(background.texture), (width, height), interpolation=cv2.INTER_LINEAR)
        rgb[empty] = np.clip(picture[empty] * colour, 0, 255).astype(np.uint8)
    return rgb


@lru_cache(maxsize=64)
def _undistorted(
    camera: CameraIntrinsics,
) -> tuple[CameraIntrinsics, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return a wider pinhole camera and the maps from its picture to the distorted one."""
    width, height = camera.width_px, camera.height_px
    u, v = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    rays = camera.unproject(np.column_stack([u.ravel(), v.ravel()]))
    x, y = rays[:, 0] * camera.fx_px, rays[:, 1] * camera.fy_px
    left, top = math.ceil(max(0.0, -x.min())) + 1, math.ceil(max(0.0, -y.min())) + 1
    right, bottom = math.ceil(max(0.0, x.max())) + 2, math.ceil(max(0.0, y.max())) + 2
    wide = CameraIntrinsics(left + right, top + bottom, camera.fx_px, camera.fy_px, float(left), float(top))
    shape = (height, width)
    return wide, ((x + left).reshape(shape).astype(np.float32), (y + top).reshape(shape).astype(np.float32))
