"""Where integers go: which nodes, with how many bits, and what that costs or saves."""
