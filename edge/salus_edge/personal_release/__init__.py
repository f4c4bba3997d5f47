"""Personal releases: trunk and head of one patient, quantised here without a converter, for her own wearable alone."""

from salus_edge.personal_release.build import AlarmRule, build_personal
from salus_edge.personal_release.dense import Dense, Quantisation, run
from salus_edge.personal_release.template import check_template, fill, usable_template
from salus_edge.personal_release.verify import check_personal, verify_personal

__all__ = [
    "AlarmRule",
    "Dense",
    "Quantisation",
    "build_personal",
    "check_personal",
    "check_template",
    "fill",
    "run",
    "usable_template",
    "verify_personal",
]
