"""What hand-eye calibration is given, whether the camera is on the wrist or beside the robot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from calibration.boards.detect import BoardView
from calibration.pose import Pose

Float = NDArray[np.float64]
Setup = Literal["wrist", "beside"]


@dataclass(frozen=True, eq=False)
class HandEyeProblem:
    """Views of one board, and where the robot was.

    In both set-ups a point of the board goes through the same chain into the camera:
    camera_from_mount @ mount_from_carrier[k] @ carrier_from_board. With the camera on the wrist, the mount is the
    flange and the carrier the robot's base; with the camera beside the robot, it is the other way round.

    Attributes:
        setup: "wrist" when the flange carries the camera, "beside" when it carries the board.
        views: of the board, V of them.
        base_from_flange: (V, 4, 4), as the robot reports it.
    """

    setup: Setup
    views: tuple[BoardView, ...]
    base_from_flange: Float

    def __post_init__(self) -> None:
        """Check that each view has a pose."""
        if self.base_from_flange.shape != (len(self.views), 4, 4):
            raise ValueError(f"{len(self.views)} views need as many poses, got {self.base_from_flange.shape}")

    @property
    def names(self) -> tuple[str, ...]:
        """The files of the views."""
        return tuple(view.name for view in self.views)

    def mount_from_carrier(self) -> Float:
        """Return the known middle of each chain, (V, 4, 4)."""
        return np.asarray(
            np.linalg.inv(self.base_from_flange) if self.setup == "wrist" else self.base_from_flange, np.float64
        )

    def only(self, numbers: Sequence[int]) -> HandEyeProblem:
        """Return the problem with some of its views."""
        kept = tuple(self.views[k] for k in numbers)
        return HandEyeProblem(self.setup, kept, self.base_from_flange[list(numbers)])

    def with_poses(self, base_from_flange: Float) -> HandEyeProblem:
        """Return the problem with other poses of the robot."""
        return HandEyeProblem(self.setup, self.views, base_from_flange)

    @property
    def frames(self) -> tuple[str, str]:
        """Names of the frames that carry the camera and the board."""
        return ("flange", "base") if self.setup == "wrist" else ("base", "flange")

    def mount_from_camera(self, camera_from_mount: Float) -> Pose:
        """Return the pose of the camera on what carries it."""
        return Pose.from_matrix(self.frames[0], "camera", np.linalg.inv(camera_from_mount))
