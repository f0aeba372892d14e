"""Storing what was quantized in fewer bytes, computed as before."""
