"""How an image becomes a model's input: fit, colour order, values, and what a file itself says about them."""
