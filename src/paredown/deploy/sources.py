"""Images from a file, a folder, a video or a camera, one after the other. numpy and OpenCV only: the bundle's
`detect.py` carries this file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
# OpenCV would play a text file as the screen of a terminal, so that only these count as videos.
# fmt: off
VIDEO_SUFFIXES = {
    ".3gp", ".avi", ".flv", ".gif", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".ogv", ".ts", ".webm", ".wmv",
}
# fmt: on
USUAL_RATE = 25.0  # frames per second, where nothing tells


class DeviceError(Exception):
    """What was given cannot be used: no image, no video, no camera, no card, no place to write."""


@dataclass(frozen=True)
class ImageSource:
    """What the user pointed at. kind: "images", or "stream" (a video or a camera)."""

    kind: str
    files: tuple[Path, ...] = ()
    address: str | int = ""


def find_source(text: str) -> ImageSource:
    """The source: a camera number, a stream's address, an image, a folder of images or a video."""
    if text.isdigit():
        return ImageSource("stream", address=int(text))
    if "://" in text:
        return ImageSource("stream", address=text)
    path = Path(text)
    if path.is_dir():
        files = tuple(sorted(p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES))
        if not files:
            raise DeviceError(f"no image in the folder {path}")
        return ImageSource("images", files)
    if not path.is_file():
        raise DeviceError(f"no such file or folder: {path}")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSource("images", (path,))
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        known = ", ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
        raise DeviceError(f"{path} is no image and no video by its ending; known: {known}")
    return ImageSource("stream", address=str(path))


def frame_rate(source: ImageSource) -> float:
    """Frames per second of a video file; the usual rate for cameras, streams and images."""
    if not isinstance(source.address, str) or not Path(source.address).is_file():
        return USUAL_RATE
    capture = cv2.VideoCapture(source.address)
    try:
        rate = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    return rate if 0 < rate < 1000 else USUAL_RATE


def read_images(source: ImageSource) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """(name, RGB image (H, W, 3)) of every file, or of every frame until the stream ends."""
    if source.kind == "images":
        for path in source.files:
            yield str(path), read_upright(path)
        return
    capture = cv2.VideoCapture(source.address)
    if not capture.isOpened():
        raise DeviceError(f"cannot open the video or camera {source.address!r}")
    try:
        number = 0
        while True:
            arrived, frame = capture.read()
            if not arrived:
                return
            yield f"frame {number}", cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]
            number += 1
    finally:
        capture.release()


def read_upright(path: Path) -> NDArray[np.uint8]:
    """The image (H, W, 3) RGB, turned as its EXIF orientation says, alpha dropped."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DeviceError(f"cannot read {path}: {error.strerror}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise DeviceError(f"{path} is no image that OpenCV can read")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
