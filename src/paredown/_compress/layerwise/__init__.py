"""Layers taken one by one from the front: what each reads once those before it are changed."""
