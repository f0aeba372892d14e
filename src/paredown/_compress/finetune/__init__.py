"""Learning without labels: the float model teaches, plain images suffice. Only `settings.py` does without
torch."""
