"""Which integer each weight becomes, and what the bias takes back: steps behind w8a8 and its kin."""
