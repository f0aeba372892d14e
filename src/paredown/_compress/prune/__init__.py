"""Fewer weights: zeros among them, or whole channels taken out."""
