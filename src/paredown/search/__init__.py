"""Which recipe to try next: the space of recipes, and the proposal of one from what was measured so far."""
