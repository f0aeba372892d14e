"""How a model is fed and read: candidates, evidence on images, the choice."""
