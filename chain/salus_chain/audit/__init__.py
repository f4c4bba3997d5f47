"""Replaying a whole chain from its genesis: what is final, that it follows from the rules, and who made a model."""
