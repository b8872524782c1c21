"""An endless stream of labelled simulated frames; frame i is a function of rig, spec, seed and i alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.kinematics import nominal_world
from calibration.rig import Rig
from calibration.world import WorldParams
from envs.labels import label_images
from envs.rendering.choice import RendererName, make_renderer
from envs.rendering.renderer import Renderer
from envs.sensing import measure_depth, measure_through
from sim2real.randomization import RandomizationSpec, WorldSampler


@dataclass(frozen=True, eq=False)
class Batch:
    """N labelled frames.

    Attributes:
        rgb: uint8 (N, H, W, 3).
        keypoints_px: float64 (N, K, 2), in pixels of these pictures.
        visible: float64 (N, K), share of the keypoint's body that is seen.
        points_m: float64 (N, 3), the label point in the label's frame.
        depth_m: float32 (N, H, W), what a depth sensor reads; NaN where nothing; None unless asked for.
    """

    rgb: NDArray[np.uint8]
    keypoints_px: NDArray[np.float64]
    visible: NDArray[np.float64]
    points_m: NDArray[np.float64]
    depth_m: NDArray[np.float32] | None = None

    def take(self, index: NDArray[np.int64] | Sequence[int]) -> Batch:
        """Return the frames of these places, without depth."""
        return Batch(self.rgb[index], self.keypoints_px[index], self.visible[index], self.points_m[index])

    @staticmethod
    def joined(parts: Sequence[Batch]) -> Batch:
        """Return the frames of several batches in order, without depth."""
        return Batch(
            np.concatenate([p.rgb for p in parts]),
            np.concatenate([p.keypoints_px for p in parts]),
            np.concatenate([p.visible for p in parts]),
            np.concatenate([p.points_m for p in parts]),
        )


class SimulatedFrames:
    """Draws frames by number. The simulator is made on first use, so that each worker process has its own."""

    def __init__(
        self,
        rig: Rig,
        spec: RandomizationSpec,
        seed: int,
        camera: CameraIntrinsics | None = None,
        renderer: RendererName = "auto",
        depth: bool = False,
        threads: int = 0,
    ) -> None:
        """Keep what defines the stream.

        Args:
            rig: the station.
            spec: what varies.
            seed: of all frames.
            camera: nominal intrinsics of the pictures; default: the rig's at the size that the model sees.
            renderer: what draws them.
            depth: whether batches hold what a depth sensor reads.
            threads: that draw; 0 uses all cores. The pictures do not depend on it.
        """
        self.rig = rig
        self.seed = seed
        self.camera = camera or rig.input_camera()
        self.sampler = WorldSampler(spec, nominal_world(rig))
        self.renderer: RendererName = renderer
        self._depth = depth
        self._threads = threads
        self._renderer: Renderer | None = None
        self._pool: ThreadPoolExecutor | None = None

    def world(self, index: int) -> WorldParams:
        """Return the world of frame number `index`."""
        return self.sampler.sample(self.seed, index)

    def draw(self, indices: Sequence[int]) -> Batch:
        """Return the frames of these numbers."""
        return self.draw_worlds(self.sampler.sample_many(self.seed, indices))

    def draw_worlds(self, worlds: list[WorldParams]) -> Batch:
        """Return the frames of these worlds."""
        if self._renderer is None:
            self._renderer = make_renderer(self.rig, self.renderer, self._threads)
            self._pool = ThreadPoolExecutor(self._threads or None, "sense") if self._threads != 1 else None
        images = self._renderer.render(worlds, self.camera)
        labels = label_images(self.rig, worlds, images)
        rgb = np.empty_like(images.rgb)
        depth = np.empty_like(images.depth_m) if self._depth else None

        def sense(k: int) -> None:
            world, camera, true = worlds[k], images.views[k].intrinsics, images.depth_m[k]
            rgb[k] = measure_through(images.rgb[k], true, camera, world.lens, world.sensor, world.noise_seed)
            if depth is not None:
                depth[k] = measure_depth(true, world.depth, camera, world.noise_seed)

        # Sensors are compiled code that runs without the interpreter's lock.
        list(map(sense, range(len(worlds))) if self._pool is None else self._pool.map(sense, range(len(worlds))))
        return Batch(rgb, labels.keypoints_px, labels.visible, labels.points_m, depth)

    def close(self) -> None:
        """Close the simulator; twice is fine."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __getitems__(self, indices: list[int]) -> Batch:
        """Return a batch; torch's data loader calls this."""
        cv2.setNumThreads(1)
        return self.draw(indices)


def batch_indices(start: int, stop: int, size: int) -> Iterator[list[int]]:
    """Yield the numbers of whole batches from batch `start` to batch `stop`."""
    for batch in range(start, stop):
        yield list(range(batch * size, (batch + 1) * size))
