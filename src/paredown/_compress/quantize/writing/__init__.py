"""QuantizeLinear and DequantizeLinear nodes in a graph."""
