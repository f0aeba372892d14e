"""Chance: confidence intervals, paired tests, many comparisons. numpy, and scipy where it is used."""
