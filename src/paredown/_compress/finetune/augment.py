"""Other views of the same images: mirrored, scaled 0.5 to 1.5, shifted, brighter or darker, of other
contrast, and some blended with each other: a teacher answers to those too, and few images go further.

Source: Beyer et al. 2022, arXiv 2106.05237, section 3.1 ("function matching": the same blended view for
teacher and pupil); Zhang et al. 2018, arXiv 1710.09412 (blending).

They are made from the preprocessed tensor, so nothing has to be known about the preprocessing but where the
channels stand. Brightness is measured in the image's own range.

x: (N, C, H, W) or (N, H, W, C) float32.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paredown.graph.torch_ops import F, Tensor, torch

SMALLEST, LARGEST = 0.5, 1.5  # scale
LIGHT = 0.2  # brightness and contrast, either way
FEWEST = 4  # images in a batch that may be blended: large images come one or two at a time
PLAIN = 0.25  # the share of images left as they are: what the device will see


def augment(feeds: Mapping[str, Tensor], rng: np.random.Generator, blended: float = 0.0) -> dict[str, Tensor]:
    """Another view of each image, the same shapes. Inputs that are no images are left as they are; several
    that are get the same view.

    blended: the share of images that another of the batch shines through.
    """
    before, made = rng.bit_generator.state, {}
    for name, x in feeds.items():
        rng.bit_generator.state = before
        made[name] = _views(x, rng, blended)
    return made


def _views(x: Tensor, rng: np.random.Generator, blended: float) -> Tensor:
    if x.ndim != 4 or not x.is_floating_point():
        return x
    last = x.shape[1] not in (1, 3, 4) and x.shape[3] in (1, 3, 4)
    images = x.permute(0, 3, 1, 2) if last else x
    made = _mixed(torch.cat([_view(image[None], rng) for image in images]), rng, blended)
    return made.permute(0, 2, 3, 1) if last else made


def _mixed(x: Tensor, rng: np.random.Generator, blended: float) -> Tensor:
    """Some images blended with others of the batch, in any proportion."""
    if not blended or len(x) < FEWEST:
        return x
    share = np.where(rng.random(len(x)) < blended, rng.random(len(x)), 1.0).astype(np.float32)
    kept = torch.from_numpy(share).to(x.device).reshape(-1, 1, 1, 1)
    return x * kept + x[torch.from_numpy(rng.permutation(len(x))).to(x.device)] * (1 - kept)


def _view(x: Tensor, rng: np.random.Generator) -> Tensor:
    plain, mirrored = rng.random() < PLAIN, rng.random() < 0.5
    scale = float(rng.uniform(SMALLEST, LARGEST))
    across, down, bright, contrast = rng.random(4)
    if plain:
        return x
    if mirrored:
        x = x.flip(3)
    x = _light(x, LIGHT * (2 * float(bright) - 1), 1 + LIGHT * (2 * float(contrast) - 1))
    return _place(x, scale, float(down), float(across))


def _light(x: Tensor, bright: float, contrast: float) -> Tensor:
    """Contrast around the mean, brightness as a part of the range; nothing leaves the range the image had."""
    low, high, mean = x.amin((2, 3), True), x.amax((2, 3), True), x.mean((2, 3), True)
    return torch.clamp((x - mean) * contrast + mean + bright * (high - low), low, high)


def _place(x: Tensor, scale: float, down: float, across: float) -> Tensor:
    """Scaled, then cut (when larger) or set on a plain ground of the mean colour (when smaller)."""
    height, width = x.shape[2:]
    size = [max(int(height * scale), 1), max(int(width * scale), 1)]
    scaled = F.interpolate(x, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
    top, left = int(abs(height - size[0]) * down), int(abs(width - size[1]) * across)
    if scale >= 1:
        return scaled[:, :, top : top + height, left : left + width]
    made = x.mean((2, 3), True).expand_as(x).clone()
    made[:, :, top : top + size[0], left : left + size[1]] = scaled
    return made
