"""Where annotated pictures go: a folder, a picture each, or one video. numpy and OpenCV only: the bundle's
`detect.py` carries this file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.deploy.sources import DeviceError

VIDEO_CODECS = {".mp4": "mp4v", ".avi": "MJPG"}  # codecs that OpenCV's wheels write themselves


class PictureFolder:
    """A folder that gets one JPEG for every picture."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DeviceError(f"cannot make the folder {folder}: {error.strerror}") from error
        self._folder, self._number, self._last = folder, 0, folder

    def write(self, name: str, image: NDArray[np.uint8]) -> None:
        """The RGB picture (H, W, 3), numbered: files of several folders may share a name."""
        path = self._folder / f"{self._number:06d}_{Path(name).stem.replace(' ', '_')}.jpg"
        self._number += 1
        done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if not done:
            raise DeviceError(f"OpenCV cannot encode {path}")
        self._keep(path, data.tobytes())
        self._last = path

    @staticmethod
    def _keep(path: Path, data: bytes) -> None:
        try:
            with path.open("xb") as file:  # never through a link, never over what is there
                file.write(data)
        except FileExistsError:
            raise DeviceError(f"{path} is there already; choose another folder") from None
        except OSError as error:
            raise DeviceError(f"cannot write {path}: {error.strerror}") from error

    def write_mask(self, classes: NDArray[np.integer[Any]]) -> None:
        """The class of every pixel (H, W) of the picture written last, as a PNG of 8 or 16 bits beside it.

        The largest number of those bits stands for no class.
        """
        kind = np.uint8 if classes.max(initial=0) < 255 else np.uint16
        whole = np.where(classes < 0, np.iinfo(kind).max, classes).astype(kind)
        _, data = cv2.imencode(".png", whole)  # type: ignore[arg-type]
        self._keep(self._last.with_name(f"{self._last.stem}_classes.png"), data.tobytes())

    def close(self) -> None:
        """Nothing: every picture is whole."""


class VideoFile:
    """A video file that gets one frame for every picture, at `rate` frames per second."""

    def __init__(self, path: Path, rate: float) -> None:
        if path.exists() or path.is_symlink():
            raise DeviceError(f"{path} is there already; choose another name")
        self._path, self._rate = path, rate
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)

    def write(self, name: str, image: NDArray[np.uint8]) -> None:
        """The RGB picture (H, W, 3), all of one size."""
        size = (image.shape[1], image.shape[0])
        if self._writer is None:
            codec = cv2.VideoWriter.fourcc(*VIDEO_CODECS[self._path.suffix.lower()])
            self._writer, self._size = cv2.VideoWriter(str(self._path), codec, self._rate, size), size
            if not self._writer.isOpened():
                raise DeviceError(f"cannot write the video {self._path}")
        if size != self._size:
            raise DeviceError(
                f"{name} is {size[0]}x{size[1]}, the video {self._size[0]}x{self._size[1]}: "
                "images of several sizes go into a folder, --save DIR"
            )
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def write_mask(self, classes: NDArray[np.integer[Any]]) -> None:
        """Nothing: a video holds pictures only."""

    def close(self) -> None:
        """Writes the end of the file."""
        if self._writer is not None:
            self._writer.release()


def open_output(path: Path, rate: float) -> PictureFolder | VideoFile:
    """What pictures are saved to: a video where the name ends as one, else a folder. Raises DeviceError."""
    return VideoFile(path, rate) if path.suffix.lower() in VIDEO_CODECS else PictureFolder(path)
