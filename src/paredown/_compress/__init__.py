"""The shelf of compression: recipes are made of steps, a step is a frozen setting and one function.

The verb is `compress.compress.compress`; names are read by `compress.presets.parse_recipe`.
"""
