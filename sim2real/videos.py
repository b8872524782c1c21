"""Videos of pictures, by OpenCV."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import InputError


class VideoFile:
    """An mp4 file that pictures of one size are added to."""

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Keep where it goes; it is made with the first picture."""
        self._path, self._rate_hz = path, rate_hz
        self._writer: cv2.VideoWriter | None = None

    def write(self, rgb: NDArray[np.uint8]) -> None:
        """Add a picture, uint8 (H, W, 3).

        Raises:
            InputError: the file cannot be written.
        """
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            height, width = rgb.shape[:2]
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), code, self._rate_hz, (width, height))
            if not self._writer.isOpened():
                raise InputError(
                    f"cannot write the video {self._path}; is the folder writable, and OpenCV built with FFmpeg?"
                )
        self._writer.write(np.ascontiguousarray(rgb[..., ::-1]))

    def close(self) -> None:
        """Finish the file; twice is fine."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
