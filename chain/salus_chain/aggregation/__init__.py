"""Combining updates in exact integers. Pure."""
