"""Everything that is true in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.rig import Rig
from calibration.view import CameraView
from calibration.world import BodyParams, WorldParams
from envs.labels.boxes import amodal_box, clipped, corners_px, modal_boxes
from envs.labels.keypoints import label_images, visible_share
from envs.labels.masks import visible_areas, visible_mask
from envs.labels.outlines import Shape, shape_of
from envs.labels.placement import moved
from envs.labels.poses import camera_from_frames
from envs.rendering.renderer import Images

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BodyLabels:
    """One present body in a picture; boxes as in `envs.labels.boxes`.

    Attributes:
        index: in the world's bodies, and in the segmentation.
        params: the body in the world.
        shape: as scaled in this world; None for a URDF arm.
        camera_from_body: (4, 4), metres.
        area_px: number of seen pixels.
        visible: share of its whole outline that is seen, 0 to 1.
        modal_box_px: (4,), around its seen pixels; NaN when none is.
        amodal_box_px: (4,), around its whole outline, beyond the picture too; of a URDF arm the modal one.
        amodal_clipped_px: (4,), the part of that within the picture; NaN when there is none.
        corners_m: (8, 3), corners of its own bounding box in the world; NaN for a URDF arm.
        corners_px: (8, 2), the same in the picture; NaN where there is none.
    """

    index: int
    params: BodyParams
    shape: Shape | None
    camera_from_body: Matrix
    area_px: int
    visible: float
    modal_box_px: Matrix
    amodal_box_px: Matrix
    amodal_clipped_px: Matrix
    corners_m: Matrix
    corners_px: Matrix


@dataclass(frozen=True, eq=False)
class FrameLabels:
    """One picture.

    Attributes:
        view: the camera.
        bodies: the present ones, in the order of the world.
        camera_from_frames: (4, 4) of every present body and of base and links of a URDF arm, by name.
        keypoints_px: (K, 2); NaN behind the camera.
        visible: (K,), share of the keypoint's body that is seen.
        point_m: (3,), the label point in the label's frame.
        joints: positions by name, radians or metres.
        depth_m: float32 (H, W), along z; infinity where no body is.
        segmentation: int16 (H, W), index into the world's bodies; -1 where none is.
        normals: float32 (H, W, 3) in the camera's frame; None when the renderer draws none.
    """

    view: CameraView
    bodies: tuple[BodyLabels, ...]
    camera_from_frames: dict[str, Matrix]
    keypoints_px: Matrix
    visible: Matrix
    point_m: Matrix
    joints: dict[str, float]
    depth_m: NDArray[np.float32]
    segmentation: NDArray[np.int16]
    normals: NDArray[np.float32] | None

    def mask(self, body: BodyLabels) -> NDArray[np.bool_]:
        """Return (H, W) where the body is seen."""
        return visible_mask(self.segmentation, body.index)


def label_frame(rig: Rig, world: WorldParams, images: Images, k: int) -> FrameLabels:
    """Return all labels of picture `k`, which shows `world`, except its flow (see `envs.labels.flow`)."""
    normals = getattr(images, "normals", None)
    one = Images(images.rgb[k : k + 1], images.depth_m[k : k + 1], images.segmentation[k : k + 1], (images.views[k],))
    points = label_images(rig, [world], one)
    view, segmentation = images.views[k], images.segmentation[k]
    frames = camera_from_frames(rig, world, view)
    areas = visible_areas(segmentation, len(world.bodies))
    modal = modal_boxes(segmentation, len(world.bodies))
    bodies = tuple(
        _body(rig, world, index, frames[b.name], view, segmentation, int(areas[index]), modal[index])
        for index, b in enumerate(world.bodies)
        if b.present
    )
    return FrameLabels(
        view,
        bodies,
        frames,
        points.keypoints_px[0],
        points.visible[0],
        points.points_m[0],
        world.joint_positions(),
        images.depth_m[k],
        segmentation,
        None if normals is None else normals[k],
    )


def _body(
    rig: Rig,
    world: WorldParams,
    index: int,
    pose: Matrix,
    view: CameraView,
    segmentation: NDArray[np.int16],
    area: int,
    modal: Matrix,
) -> BodyLabels:
    params = world.bodies[index]
    shape = shape_of(rig, params)
    share = visible_share(rig, world, index, pose, view, segmentation, area)
    camera = view.intrinsics
    size = camera.width_px, camera.height_px
    if shape is None:
        nowhere = np.full((8, 3), np.nan)
        return BodyLabels(index, params, None, pose, area, share, modal, modal, modal, nowhere, np.full((8, 2), np.nan))
    whole = amodal_box(shape, pose, camera)
    corners = shape.corners_m()
    world_from_body = view.world_from_camera.matrix() @ pose
    return BodyLabels(
        index,
        params,
        shape,
        pose,
        area,
        share,
        modal,
        whole,
        clipped(whole, *size),
        moved(world_from_body, corners),
        corners_px(corners, pose, camera),
    )
