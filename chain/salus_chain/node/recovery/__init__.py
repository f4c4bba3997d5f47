"""A database that was damaged, or is new, gets its blocks from others."""
