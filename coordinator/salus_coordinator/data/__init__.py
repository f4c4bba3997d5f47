"""Data sets in one common form, and how they are split by time, session and person."""

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.data.sources import SOURCES, file_of, import_data, load, locate
from salus_coordinator.data.split import Range, Split, allot, bouts, parts, people

__all__ = [
    "SOURCES", "DataSet", "Range", "Recording", "Span", "Split",
    "allot", "bouts", "file_of", "import_data", "load", "locate", "parts", "people",
]  # fmt: skip
