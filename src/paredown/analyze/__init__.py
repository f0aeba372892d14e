"""Statistics of measurements: intervals by bootstrap, paired tests, the Pareto front."""
