"""Personal releases: trunk and head of one patient, quantised here without a converter, for her own wearable alone."""

from salus_edge.personal_release.build import AlarmRule, DenseRow, build_personal, dense_rows, quantise_layers
from salus_edge.personal_release.dense import Dense, Quantisation, run
from salus_edge.personal_release.template import check_template, fill, usable_template
from salus_edge.personal_release.verify import MAX_CLASSES, MAX_CONFIRM, check_personal, verify_personal

__all__ = [
    "MAX_CLASSES",
    "MAX_CONFIRM",
    "AlarmRule",
    "Dense",
    "DenseRow",
    "Quantisation",
    "build_personal",
    "check_personal",
    "check_template",
    "dense_rows",
    "fill",
    "quantise_layers",
    "run",
    "usable_template",
    "verify_personal",
]
