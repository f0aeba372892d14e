"""Reading data sets: one file per format, tabled in `reading.FORMATS`; whole data sets in, parts of them out.

OpenCV is imported only when a data set is read.
"""

from paredown.data.arrays import from_arrays
from paredown.data.reading import FORMATS, read_dataset, training_split
from paredown.data.subsets import overlap, sample, split_off, verify, without

__all__ = [
    "FORMATS",
    "from_arrays",
    "overlap",
    "read_dataset",
    "sample",
    "split_off",
    "training_split",
    "verify",
    "without",
]
