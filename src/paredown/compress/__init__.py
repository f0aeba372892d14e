"""The shelf of compression: recipes are made of steps, a step is a frozen setting and one function."""
