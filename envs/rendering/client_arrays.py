"""A running PyBullet client as scene arrays: geometry once, poses at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calibration.view import CameraView
from calibration.world import BackgroundParams, LightParams
from envs.rendering.look_arrays import background_arrays, camera_arrays, light_arrays
from envs.rendering.pybullet_arrays import ClientShapes
from envs.rendering.scene_arrays import NO_TEXTURE, SceneArrays, pack_geometry
from envs.rendering.texture_pool import TexturePool


class ClientArrays:
    """What a client shows, for any number of moments and cameras."""

    def __init__(self, pybullet_module: Any, client_id: int) -> None:
        """Read the shapes of all bodies.

        Raises:
            InputError: a mesh file is not there or cannot be used.
        """
        self.shapes = ClientShapes(pybullet_module, client_id)
        names = sorted({p.texture for s in self.shapes.shapes for m in s.meshes for p in m.parts} - {"none"})
        self._textures = TexturePool(tuple(names)).arrays()
        self._geometry = pack_geometry(self.shapes.shapes, dict(zip(names, range(len(names)), strict=True)))

    def poses(self) -> NDArray[np.float32]:
        """Return world_from_instance (I, 3, 4) as the bodies are now."""
        return self.shapes.poses()

    def arrays(
        self,
        poses: NDArray[np.float32],
        views: Sequence[CameraView],
        light: LightParams | None = None,
        background: BackgroundParams | None = None,
    ) -> SceneArrays:
        """Return N views of the client.

        Args:
            poses: (N, I, 3, 4), from `poses`; one for each view.
            views: pinhole cameras of one size.
            light: of all views.
            background: of all views.
        """
        count, instances = poses.shape[:2]
        lights = [light or LightParams()] * count
        camera = views[0].intrinsics
        material = np.zeros((count, instances, 4), np.float32)
        material[..., 0], material[..., 1] = 1.0, 30.0
        return SceneArrays(
            geometry=self._geometry,
            textures=self._textures,
            camera=camera,
            shape=np.broadcast_to(self.shapes.shape, (count, instances)),
            present=np.ones((count, instances), np.bool_),
            world_from_instance=poses,
            segment=np.broadcast_to(self.shapes.body.astype(np.int16), (count, instances)),
            rgb=np.broadcast_to(self.shapes.rgb, (count, instances, 3)),
            texture=np.full((count, instances), NO_TEXTURE, np.int32),
            material=material,
            **camera_arrays(views),
            **light_arrays(lights, [()] * count),
            **background_arrays([background or BackgroundParams((1.0, 1.0, 1.0))] * count, camera),
        )
