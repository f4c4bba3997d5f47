"""What clients ask a validator over HTTPS, and what it answers."""
