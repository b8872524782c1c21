"""What every format offers: files of frames while they are drawn, and an index of all of them at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.camera import CameraIntrinsics
from calibration.world import WorldParams
from envs.labels import FrameLabels


class DatasetWriter(Protocol):
    """Writes one data set into a folder. A frame that is added twice gives the same files."""

    def camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """Return the nominal intrinsics to draw with, in place of these: what the format can say."""
        ...

    def world(self, world: WorldParams) -> WorldParams:
        """Return the world to draw in place of a drawn one: what the format can say."""
        ...

    def prepare(self, camera: CameraIntrinsics) -> None:
        """Write what does not depend on the frames, which are drawn with these nominal intrinsics."""
        ...

    def add(self, number: int, rgb: NDArray[np.uint8], labels: FrameLabels) -> dict[str, Any]:
        """Write the files of a frame and return what the index needs of it, as plain data."""
        ...

    def finish(self, entries: Iterable[dict[str, Any]]) -> None:
        """Write the index from the entries of all frames, in order; they can be gone through more than once."""
        ...
