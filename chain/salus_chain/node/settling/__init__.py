"""A validator's work outside consensus: recompute rounds, examine models and releases."""
