"""A validator's process: disk, network, clock, and the work outside consensus."""
