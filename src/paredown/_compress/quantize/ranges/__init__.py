"""What range of values each tensor gets: calibration, and the choice made from what it saw."""
