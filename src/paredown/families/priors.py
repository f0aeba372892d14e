"""Prior boxes (anchors) by the rules of those who publish detectors, told apart by how many there are.

A rule gives the priors of an input as centre x, centre y, width, height in pixels, in the order in which the
model gives its rows: grid by grid, row by row, cell by cell. numpy only: the bundle's `detect.py` carries it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from paredown.families.boxes import Floats

Size = tuple[int, int]
Sides = Sequence[tuple[float, float]]  # width, height in pixels
VGG_RATIOS = {8: (2,), 16: (2, 3), 32: (2, 3), 64: (2, 3), 100: (2,), 300: (2,)}
PYRAMID = (8, 16, 32, 64, 128)  # strides of RetinaNet and EfficientDet


def _grids(size: Size, shapes: Sequence[tuple[int, int]], sides: Sequence[Sides]) -> Floats:
    """(N, 4) the sides in the middle of every cell of grids (rows, columns) that divide the input evenly."""
    found = []
    for (rows, columns), own in zip(shapes, sides, strict=True):
        y, x = np.mgrid[:rows, :columns] + 0.5
        centres = np.stack([x * size[1] / columns, y * size[0] / rows], axis=-1).reshape(-1, 1, 2)
        each = np.broadcast_to(np.array(own), (rows * columns, len(own), 2))
        found.append(np.concatenate([np.broadcast_to(centres, each.shape), each], axis=-1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float32)


def _strided(size: Size, sides: Mapping[int, Sides]) -> Floats:
    """The same with a grid for each stride, whose cells are stride x stride pixels."""
    shapes = [(-(-size[0] // s), -(-size[1] // s)) for s in sides]
    found = [
        _grids((rows * s, columns * s), [(rows, columns)], [own])
        for (rows, columns), (s, own) in zip(shapes, sides.items(), strict=True)
    ]
    return np.concatenate(found)


def _halved(size: Size, first: int, count: int) -> list[tuple[int, int]]:
    """Shapes of `count` grids, the first of that stride, each next half as large, rounded up."""
    shapes = [(-(-size[0] // first), -(-size[1] // first))]
    while len(shapes) < count:
        shapes.append((-(-shapes[-1][0] // 2), -(-shapes[-1][1] // 2)))
    return shapes


def tensorflow(size: Size) -> Floats:
    """SSD of TensorFlow's Object Detection API: six grids from stride 16 on, scales 0.2 .. 0.95.

    Source: `object_detection/anchor_generators/multiple_grid_anchor_generator.py`, create_ssd_anchors.
    """
    scales = [*np.linspace(0.2, 0.95, 6), 1.0]
    sides: list[Sides] = []
    for i in range(6):
        ratios = (2.0, 0.5) if i == 0 else (1.0, 2.0, 0.5, 3.0, 1 / 3)
        own = [(scales[i] * r**0.5, scales[i] / r**0.5) for r in ratios]
        between = (scales[i] * scales[i + 1]) ** 0.5
        own = [(0.1, 0.1), *own] if i == 0 else [*own, (between, between)]
        sides.append([(w * size[1], h * size[0]) for w, h in own])
    return _grids(size, _halved(size, 16, 6), sides)


def torchvision(size: Size) -> Floats:
    """SSDLite of torchvision: six grids from stride 16 on, six priors in each cell, scales 0.2 .. 0.95.

    Source: `torchvision/models/detection/anchor_utils.py`, DefaultBoxGenerator, as ssdlite320 sets it.
    """
    scales = [*np.linspace(0.2, 0.95, 6), 1.0]
    sides: list[Sides] = []
    for i in range(6):
        between = (scales[i] * scales[i + 1]) ** 0.5
        own = [(scales[i], scales[i]), (between, between)]
        for ratio in (2.0, 3.0):
            wide, high = scales[i] * ratio**0.5, scales[i] / ratio**0.5
            own += [(wide, high), (high, wide)]
        sides.append([(min(w, 1.0) * size[1], min(h, 1.0) * size[0]) for w, h in own])
    return _grids(size, _halved(size, 16, 6), sides)


def pytorch_ssd(size: Size) -> Floats:
    """MobileNet-SSD of pytorch-ssd, jetson-inference: as many at 300 x 300 as torchvision's rule gives, with
    cells of whole strides, so that the last ones lie up to 4 pixels further on.

    Source: `qfgaohao/pytorch-ssd`, vision/ssd/config/mobilenetv1_ssd_config.py and utils/box_utils.py.
    """
    if size != (300, 300):
        return np.zeros((0, 4), np.float32)  # its numbers are those of this input
    ratios = dict.fromkeys((16, 32, 64, 100, 150, 300), (2, 3))
    return np.minimum(_vgg(size, (60.0, 105.0, 150.0, 195.0, 240.0, 285.0, 330.0), ratios, most=300.0), 300)


def ssd300(size: Size) -> Floats:
    """SSD300 on VGG for Pascal VOC: six grids of strides 8 to 300.

    Source: Liu et al., SSD, 2016, arXiv 1512.02325; its `examples/ssd/ssd_pascal.py`.
    """
    return _vgg(size, (30.0, 60.0, 111.0, 162.0, 213.0, 264.0, 315.0), VGG_RATIOS, most=np.inf)


def ssd300_coco(size: Size) -> Floats:
    """SSD300 on VGG for COCO: as many with other sides, none longer than the input.

    Source: `torchvision/models/detection/ssd.py`, ssd300_vgg16.
    """
    return _vgg(size, (21.0, 45.0, 99.0, 153.0, 207.0, 261.0, 315.0), VGG_RATIOS, most=300.0)


def _vgg(size: Size, lengths: Sequence[float], ratios: Mapping[int, Sequence[int]], *, most: float) -> Floats:
    """lengths, most: in pixels. ratios: by the stride of each grid."""
    sides: dict[int, Sides] = {}
    for i, (stride, own_ratios) in enumerate(ratios.items()):
        between = (lengths[i] * lengths[i + 1]) ** 0.5
        own = [(lengths[i], lengths[i]), (between, between)]
        for ratio in own_ratios:
            wide, high = lengths[i] * ratio**0.5, lengths[i] / ratio**0.5
            own += [(wide, high), (high, wide)]
        sides[stride] = [(min(w, most), min(h, most)) for w, h in own]
    return _strided(size, sides)


def retinaface(size: Size) -> Floats:
    """RetinaFace: two squares in each cell of strides 8, 16, 32, of 16 and 32 pixels to 256 and 512.

    Source: `biubug6/Pytorch_Retinaface`, PriorBox and `data/config.py`, min_sizes.
    """
    return _strided(size, {8: _squares(16, 32), 16: _squares(64, 128), 32: _squares(256, 512)})


def _squares(*lengths: float) -> Sides:
    return [(n, n) for n in lengths]


def retinanet(size: Size) -> Floats:
    """RetinaNet: three scales by three ratios in the middle of each cell of strides 8 to 128.

    Source: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv 1708.02002, section 4.
    """
    return _pyramid(size, [(r**-0.5, r**0.5) for r in (0.5, 1.0, 2.0)], ratios_first=True)


def retinanet_torchvision(size: Size) -> Floats:
    """The same in the upper left corner of each cell, their sides rounded.

    Source: `torchvision/models/detection/anchor_utils.py`, AnchorGenerator, and `retinanet.py`.
    """
    found = []
    for stride in PYRAMID:
        rows, columns = -(-size[0] // stride), -(-size[1] // stride)
        lengths = [int(4 * stride * 2 ** (i / 3)) for i in range(3)]
        halves = [(n / r**0.5 / 2, n * r**0.5 / 2) for r in (0.5, 1.0, 2.0) for n in lengths]
        own = [(2.0 * round(w), 2.0 * round(h)) for w, h in halves]
        high, wide = size[0] // rows, size[1] // columns
        grid = _grids((rows * high, columns * wide), [(rows, columns)], [own])
        found.append(grid - np.array((wide / 2, high / 2, 0, 0), np.float32))
    return np.concatenate(found)


def efficientdet(size: Size) -> Floats:
    """EfficientDet: the same places and scales, sides by (1, 1), (1.4, 0.7), (0.7, 1.4).

    Source: Tan et al., EfficientDet, 2020, arXiv 1911.09070; google/automl, `efficientdet/tf2/anchors.py`.
    """
    return _pyramid(size, [(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)], ratios_first=False)


def _pyramid(size: Size, forms: Sides, *, ratios_first: bool) -> Floats:
    """ratios_first: the order of a cell's priors, all scales of the first ratio before the second."""
    scales = [2 ** (i / 3) for i in range(3)]
    pairs = [(s, f) for f, s in product(forms, scales)] if ratios_first else list(product(scales, forms))
    sides = {n: [(4 * n * s * w, 4 * n * s * h) for s, (w, h) in pairs] for n in PYRAMID}
    return _strided(size, sides)


PRIORS: Mapping[str, Callable[[Size], Floats]] = {
    "tensorflow": tensorflow,
    "torchvision": torchvision,
    "pytorch-ssd": pytorch_ssd,
    "ssd300": ssd300,
    "ssd300-coco": ssd300_coco,
    "retinaface": retinaface,
    "retinanet": retinanet,
    "retinanet-torchvision": retinanet_torchvision,
    "efficientdet": efficientdet,
}
