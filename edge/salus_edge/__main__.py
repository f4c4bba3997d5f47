"""`python -m salus_edge` is `salus gateway`."""

from salus_edge.cli import app

app()
