"""Deterministic simulation of the real consensus: seeded faults and liars on a virtual clock and network."""
