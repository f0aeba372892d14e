"""The step `mix`: float, W8A8, W4A8 or W8 for every layer. It is made of quantize and pack."""
