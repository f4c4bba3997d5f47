"""Checking the chain from outside, with the genesis and a proof alone. Pure but for reading files."""
