"""ONNX graphs: loading, preparing, walking, rewriting, looking into."""
