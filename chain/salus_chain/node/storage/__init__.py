"""What a validator keeps on disk, and how it survives."""
