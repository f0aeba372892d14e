"""How far quantizing one tensor or weight alone moves the answer, and what is done about the worst."""
