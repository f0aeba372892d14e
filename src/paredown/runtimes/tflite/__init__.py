"""A writer of TFLite files: `write(model)` gives the bytes that LiteRT runs."""

from paredown.runtimes.tflite.write import write

__all__ = ["write"]
