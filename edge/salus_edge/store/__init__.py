"""The gateway's database: one SQLite file; each module here holds the statements of one kind of thing."""

from salus_edge.store.database import Database

__all__ = ["Database"]
