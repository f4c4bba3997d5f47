"""What validators say to each other, and the connections that carry it."""
