"""The tables. `VERSION` is written into the file; a file of another version is refused, never guessed at."""

from __future__ import annotations

from typing import Final

VERSION: Final = 2

_FIRST: Final = """
CREATE TABLE packets (                 -- every genuine packet, once, in one transaction with its content
    device TEXT NOT NULL, boot INTEGER NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, received_ms INTEGER NOT NULL,
    code TEXT NOT NULL,                -- '' stored, else why its content is refused
    PRIMARY KEY (device, boot, sequence)
) WITHOUT ROWID;

CREATE TABLE devices (                 -- what each wearable last said of itself
    device TEXT PRIMARY KEY, boot INTEGER NOT NULL, sequence INTEGER NOT NULL,
    state BLOB NOT NULL, seen_ms INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE calibrations (            -- the base under which each wearable's calibration began
    device TEXT PRIMARY KEY, base BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE features (                -- int8 (F,); `origin` is device, or window when recomputed here
    patient TEXT NOT NULL, base BLOB NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    model_version INTEGER NOT NULL, content BLOB NOT NULL, aux BLOB NOT NULL, origin TEXT NOT NULL,
    PRIMARY KEY (patient, base, start_ms)
) WITHOUT ROWID;

CREATE TABLE windows (                 -- float32 (samples, channels), sealed under the store key
    patient TEXT NOT NULL, start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    samples INTEGER NOT NULL, channels INTEGER NOT NULL,
    nonce BLOB NOT NULL, sealed BLOB NOT NULL, consent BLOB NOT NULL, received_ms INTEGER NOT NULL,
    PRIMARY KEY (patient, start_ms)
);

CREATE TABLE labels (
    device TEXT NOT NULL, id TEXT NOT NULL, patient TEXT NOT NULL, task TEXT NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, label TEXT NOT NULL, source TEXT NOT NULL,
    arrival INTEGER NOT NULL,          -- the order of arrival; of two that cover one window the later wins
    PRIMARY KEY (device, id)
) WITHOUT ROWID;

CREATE TABLE events (
    device TEXT NOT NULL, boot INTEGER NOT NULL, sequence INTEGER NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (device, boot, sequence)
) WITHOUT ROWID;

CREATE TABLE models (                  -- settled shared models, int32 (D,), by the base that they go with
    arm TEXT NOT NULL, base BLOB NOT NULL, round INTEGER NOT NULL,
    digest BLOB NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (arm, base)
) WITHOUT ROWID;

CREATE TABLE personal (                -- a patient's own variables of `groups`, float32, by what they serve
    patient TEXT NOT NULL, arm TEXT NOT NULL, base BLOB NOT NULL, role TEXT NOT NULL, groups TEXT NOT NULL,
    content BLOB NOT NULL, valid INTEGER NOT NULL, round INTEGER NOT NULL, rows INTEGER NOT NULL,
    PRIMARY KEY (patient, arm, base, role)
) WITHOUT ROWID;

CREATE TABLE predictions (
    patient TEXT NOT NULL, arm TEXT NOT NULL, base BLOB NOT NULL,
    start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL,
    class INTEGER NOT NULL, probability REAL NOT NULL, personal INTEGER NOT NULL, historical INTEGER NOT NULL,
    PRIMARY KEY (patient, arm, base, start_ms)
) WITHOUT ROWID;

CREATE TABLE rounds (                  -- `file` is durable before its first byte leaves
    arm TEXT NOT NULL, round INTEGER NOT NULL, kind TEXT NOT NULL, base BLOB NOT NULL,
    algorithm TEXT NOT NULL, parameters TEXT NOT NULL, deadline_ms INTEGER NOT NULL,
    status TEXT NOT NULL,              -- trained, committed, settled, expired, sat_out
    file BLOB, file_digest BLOB, weight INTEGER NOT NULL, loss REAL NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (arm, round)
) WITHOUT ROWID;

CREATE TABLE releases (                -- approved bases, their approval proved
    task TEXT NOT NULL, version INTEGER NOT NULL, base BLOB NOT NULL,
    manifest BLOB NOT NULL, signed_manifest BLOB NOT NULL, model BLOB NOT NULL,
    weights BLOB NOT NULL, height INTEGER NOT NULL,  -- the settled model, int32 (D,)
    PRIMARY KEY (task, version)
) WITHOUT ROWID;
"""

_PERSONAL_RELEASES: Final = """
CREATE TABLE personal_releases (       -- what each wearable shall run after the base, the last one made
    patient TEXT PRIMARY KEY, version INTEGER NOT NULL, base BLOB NOT NULL,
    source BLOB NOT NULL,              -- digest of what it was made from: the same again makes no new one
    signed_manifest BLOB NOT NULL, model BLOB NOT NULL
) WITHOUT ROWID;
"""

TABLES: Final = _FIRST + _PERSONAL_RELEASES
UPGRADES: Final = {1: _PERSONAL_RELEASES}  # from that version to the next; nothing that is stored changes
