"""What a gateway learns, synchronously: a round's update, and patients' own variables after a settlement or
release.

Everything here runs in a worker thread; a lock keeps the one training program to one user at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from salus_chain.fixed import SCALE, Int32s, to_float
from salus_chain.updates import UpdateHeader, update_digest
from salus_chain.views import RoundView
from salus_edge import bases
from salus_edge.config import ArmConfig, Settings
from salus_edge.errors import Refused
from salus_edge.personal import compose, extract, refit
from salus_edge.rows import feature_rows, window_rows
from salus_edge.store import Database, models, rounds
from salus_edge.store.models import Personal
from salus_edge.store.rounds import RoundKey
from salus_edge.training.fit import Rows, fit
from salus_edge.training.program import TrainingProgram
from salus_edge.training.schedules import Kind, Parameters, read_parameters, schedule
from salus_edge.training.update import Floats, combine, delta, update_file


class Learner:
    """One gateway's learning over its store."""

    def __init__(self, settings: Settings, database: Database) -> None:
        package = settings.package
        self.settings, self.database = settings, database
        self.program = TrainingProgram(package.program, package.layout, package.task.batch)
        self.lock = threading.Lock()

    def rows(self, arm: ArmConfig, patient: str, kind: Kind, base: bytes) -> Rows:
        """A patient's labelled rows for a round of this kind and base; missing features are made from
        windows.
        """
        if kind == "calibration":
            return window_rows(self.database, self.settings, arm, patient)
        bases.fill(self.database, self.settings, patient, base)
        return feature_rows(self.database, self.settings, arm, patient, base)

    def ready(self, arm: ArmConfig, kind: Kind, base: bytes) -> int:
        """How many patients have labelled rows."""
        with self.lock:
            return sum(len(self.rows(arm, each.patient, kind, base)) > 0 for each in self.settings.patients)

    def train_round(self, arm: ArmConfig, view: RoundView, model: Int32s) -> bytes:
        """Train all patients with labelled data from the settled `model` int32 (D,), and make the update
        durable.

        The bytes to send: those of an earlier call for this round where there was one. Raises Refused: the
        round cannot be taken part in (`wrong_variables`, `wrong_layout`, …), or training failed
        (`not_finite`).
        """
        with self.lock:
            kept = rounds.record(self.database, arm.task, view.round)
            if kept is not None and kept.file is not None:
                return kept.file
            return self._train(arm, view, round_key(view), to_float(model))

    def refit_patient(self, arm: ArmConfig, patient: str, base: bytes) -> bool:
        """Fit a patient's own variables anew on top of the settled ones; whether they are valid."""
        with self.lock:
            return self._refit(arm, patient, base)

    def stale(self, arm: ArmConfig, patient: str, base: bytes) -> bool:
        """Whether a patient's own variables are fitted to another settled model than the arm's latest."""
        settled = bases.shared(self.database, self.settings, arm, base)
        own = models.personal(self.database, patient, arm.task, base, "predict")
        return own is None or own.round != settled.round

    def _train(self, arm: ArmConfig, view: RoundView, key: RoundKey, start: Floats) -> bytes:
        indices = self._shared_indices(view)
        deltas: list[Floats] = []
        losses: list[float] = []
        owned: list[tuple[str, Personal]] = []
        for each in self.settings.patients:
            rows = self.rows(arm, each.patient, key.kind, key.base)
            if not len(rows):
                continue
            trained, loss, own = self._train_patient(arm, each.patient, key, start, rows, view.open.variables)
            deltas.append(delta(start, trained, indices))
            losses.append(loss)
            owned += [(each.patient, own)] if own else []
        bound = min(key.parameters.clip, view.open.norm_bound / SCALE)
        values = combine(deltas, bound)
        header = UpdateHeader(
            self.settings.genesis.chain_id,
            arm.task,
            view.round,
            self.settings.gateway,
            view.model_before,
            view.layout_digest,
            min(len(deltas), view.open.w_max),
            view.d,
        )
        file = update_file(header, values)
        with self.database.transaction():
            for patient, own in owned:
                models.put_personal(self.database, patient, arm.task, key.base, "round", own)
            return rounds.put_update(
                self.database, key, file, update_digest(file), header.weight, float(np.mean(losses))
            )

    def _train_patient(
        self, arm: ArmConfig, patient: str, key: RoundKey, start: Floats, rows: Rows, variables: Sequence[str]
    ) -> tuple[Floats, float, Personal | None]:
        plan, layout = schedule(key.algorithm), self.program.layout
        groups = tuple(
            each for each in plan.personal if not set(layout.names([each])) & set(variables)
        )  # what this round shares starts from the settled value, so nothing of a patient's own can leave
        prior = models.personal(self.database, patient, arm.task, key.base, "round")
        usable = prior if prior and groups and prior.groups == ",".join(groups) else None
        rng = np.random.default_rng(_seed(arm.task, str(key.round), patient))
        fitted = fit(self.program, plan.phases(key.parameters), compose(layout, start, usable), start, rows, rng)
        if not groups:
            return fitted.flat, fitted.loss, None
        values = extract(layout, fitted.flat, groups)
        valid = usable is not None and usable.valid
        own = Personal(",".join(groups), values, valid, key.round - 1, len(rows))  # fitted to what was before
        return fitted.flat, fitted.loss, own

    def _shared_indices(self, view: RoundView) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        layout = self.program.layout
        if view.layout_digest != layout.digest:
            raise Refused("wrong_layout", f"round {view.round} of {view.task} is of another layout than the package's")
        base = set(layout.names(["base"])) & set(view.open.variables)
        if view.open.kind == "feature" and base:
            raise Refused(
                "wrong_variables", f"a feature round leaves the base alone, this one shares {sorted(base)[0]}"
            )
        try:
            indices = layout.indices(view.open.variables)
        except KeyError as error:
            raise Refused("wrong_variables", f"round {view.round} of {view.task}: {error.args[0]}") from None
        if len(indices) != view.d:
            raise Refused(
                "wrong_variables",
                f"the round's variables have {len(indices)} values, the chain says {view.d}",
            )
        return indices

    def _refit(self, arm: ArmConfig, patient: str, base: bytes) -> bool:
        latest = rounds.latest(self.database, arm.task, "feature")
        algorithm, parameters = (latest.key.algorithm, latest.key.parameters) if latest else ("local", Parameters())
        if latest is None or not schedule(algorithm).personal:
            return False
        groups = tuple(self.settings.package.task.personalise)
        settled = bases.shared(self.database, self.settings, arm, base)
        prior = models.personal(self.database, patient, arm.task, base, "round")
        own = refit(
            self.program,
            groups,
            parameters,
            settled.flat,
            prior,
            self.rows(arm, patient, "feature", base),
            settled.round,
            np.random.default_rng(_seed(arm.task, f"refit {settled.round}", patient)),
        )
        if own is not None:
            models.put_personal(self.database, patient, arm.task, base, "predict", own)
        return own is not None and own.valid


def round_key(view: RoundView) -> RoundKey:
    """What this gateway keeps of a round. Raises Refused: unknown algorithm, kind or parameters."""
    opened = view.open
    if opened.kind not in ("feature", "calibration"):
        raise Refused("unknown_kind", f"round {view.round} of {view.task} is of kind {opened.kind!r}")
    schedule(opened.algorithm)
    return RoundKey(
        view.task,
        view.round,
        opened.kind,  # type: ignore[arg-type]
        opened.base_sha256,
        opened.algorithm,
        read_parameters(opened.parameters),
        opened.deadline_ms,
    )


def _seed(*parts: str) -> int:
    """The same order of rows whenever the same round is trained again."""
    return int.from_bytes(sha256("\0".join(parts).encode()).digest()[:8], "big")
