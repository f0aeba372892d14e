"""Time, and what disturbs it: models beside each other in processes of their own, moments and minutes."""
