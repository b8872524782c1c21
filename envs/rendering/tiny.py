"""PyBullet's own software renderer, TinyRenderer: slow, independent, everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import BackgroundParams, LightParams, WorldParams
from envs.rendering.opengl import depth_from_buffer, projection_matrix, view_matrix
from envs.rendering.renderer import Images
from envs.scene import Scene
from envs.sensing.distortion import straightened
from envs.simulation import Simulation
from envs.textures import background_picture, is_sky, sky_colours

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

    def render(self, worlds: Sequence[WorldParams], camera: CameraIntrinsics, normals: bool = False) -> Images:
        """Return pictures of the worlds through the rig's camera with these nominal intrinsics.

        A camera with distortion is drawn wide without it and then warped. It has one light, the same material for all
        bodies and no shutter, and draws no normals: of a world, lamps, materials, matte bodies, motion, a sky and the
        size of the light are not seen.
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
        warp = None if camera.is_straight else straightened(camera)
        if warp is not None:
            camera = warp.wide
        rgb, depth, bodies = self._pixels(world.light, camera, view)
        segmentation = np.full(bodies.shape, -1, np.int16)
        for body, k in index.items():
            segmentation[bodies == body] = k
        rgb = _over_background(rgb, bodies < 0, world.background)
        if warp is not None:
            return warp.images(rgb, depth, segmentation)
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
    if background.texture == "none" or is_sky(background.texture):
        plain = colour * (sky_colours(background.texture)[1] if is_sky(background.texture) else 1.0)
        rgb[empty] = np.clip(255.0 * plain, 0, 255).astype(np.uint8)
    else:
        height, width = empty.shape
        picture = background_picture(background.texture, width, height)
        rgb[empty] = np.clip(picture[empty] * colour, 0, 255).astype(np.uint8)
    return rgb
