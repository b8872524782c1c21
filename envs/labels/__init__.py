"""Labels of simulated pictures, from the true state."""

from envs.labels.frame import BodyLabels, FrameLabels, label_frame
from envs.labels.keypoints import Labels, label_images

__all__ = ["BodyLabels", "FrameLabels", "Labels", "label_frame", "label_images"]
