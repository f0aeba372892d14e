"""Arithmetic on boxes, in numpy: overlap, suppression."""
