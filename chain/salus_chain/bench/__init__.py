"""Measuring a chain of real validator processes on this machine."""
