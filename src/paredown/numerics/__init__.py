"""Number formats and how to choose their ranges, in plain numpy. No ONNX here."""
