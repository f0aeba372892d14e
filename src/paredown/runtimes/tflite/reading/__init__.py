"""A reader of TFLite files: `read(data, name)` gives the float model that the file stands for."""

from paredown.runtimes.tflite.reading.read import read

__all__ = ["read"]
