"""The gateway process: MQTT to the wearables, the store, the chain; one TaskGroup, ended by SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import time
from typing import Final

import structlog

from salus_chain.client import ChainClient
from salus_chain.keys import Signer
from salus_chain.passphrases import open_key
from salus_edge import bases
from salus_edge.calibration import command_for
from salus_edge.config import Patient, Settings
from salus_edge.downlink import Downlink
from salus_edge.errors import EdgeError, Refused
from salus_edge.follower import Follower
from salus_edge.intake import Arrival, Expectation, Outcome, acknowledgement, store
from salus_edge.learner import Learner
from salus_edge.link import (
    UPWARD,
    BootCounter,
    Connection,
    FeatureBatch,
    derive_keys,
    open_packet,
    parse,
    topic,
)
from salus_edge.predictor import Predictor
from salus_edge.proto import link_pb2
from salus_edge.refits import Refits
from salus_edge.releasing import Releasing
from salus_edge.renewal import renew
from salus_edge.rounds import Participant
from salus_edge.store import Database, windows
from salus_edge.store.features import Features
from salus_edge.store.models import StoredRelease

QUEUE: Final = 256
BATCH: Final = 64
LOST: Final = b"lost"
RETENTION_LOOK_S: Final = 3_600.0
LABEL_PAUSE_S: Final = 2.0
RENEW_LOOK_S: Final = 60.0
DISK_PAUSE_S: Final = 1.0

log = structlog.get_logger(__name__)


class Gateway:
    """One gateway over its open store."""

    def __init__(self, settings: Settings, database: Database, boot: int) -> None:
        federation, chain_id = settings.genesis.federation, settings.genesis.chain_id
        self.settings, self.database = settings, database
        self.learner, self.predictor = Learner(settings, database), Predictor(settings, database)
        self._patients = {each.device: each for each in settings.patients}
        self._keys = {each.device: derive_keys(each.link_secret, chain_id, each.device) for each in settings.patients}
        subscriptions = [topic(federation, device, kind) for device in self._patients for kind in UPWARD]
        self._connection = Connection(settings.mqtt_url, f"salus-gateway-{settings.gateway}", subscriptions)
        down = {device: keys.down for device, keys in self._keys.items()}
        self._downlink = Downlink(self._connection.publish, federation, down, boot)
        self._arrivals: asyncio.Queue[Arrival] = asyncio.Queue(QUEUE)
        self._releasing = Releasing(settings, database, self._downlink, settings.patients)
        self._stale = asyncio.Event()
        self._labelled = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. Raises whatever ends one of the tasks."""
        self._forget_windows()
        late = self.predictor.catch_up(_now_ms())
        if late:
            log.info("caught_up", windows=late)
        client = ChainClient(self.settings.genesis, self.settings.validators)
        signer = open_key(self.settings.key)
        async with client, asyncio.TaskGroup() as group:
            participant = Participant(client, signer, self.learner)
            refits = Refits(self.learner, participant.idle, self._refitted)
            follower = Follower(client, self.learner, participant, group, refits.want, self._changed)
            for arm in self.settings.arms:
                refits.want(arm)  # what an earlier process did not come to
            jobs = {
                "link": self._connection.run(self._receive),
                "intake": self._take_in(),
                "chain": follower.run(),
                "releases": self._releasing.run(),
                "personal": self._renew(signer),
                "refits": refits.run(),
                "labels": self._refit_after_labels(refits),
                "retention": self._retain(),
            }
            tasks = [group.create_task(job, name=name) for name, job in jobs.items()]
            log.info("running", gateway=self.settings.gateway, patients=len(self._patients))
            await stop.wait()
            log.info("stopping")
            for task in [*tasks, *participant.tasks]:
                task.cancel()
        self.predictor.catch_up(_now_ms())  # what was acknowledged at the last moment

    async def _receive(self, where: str, payload: bytes) -> None:
        """One message from the broker, who is trusted for nothing."""
        try:
            address = parse(where)
            patient = self._patients[address.device]
            if address.kind == "state" and payload == LOST:
                self._releasing.lost(address.device)
                return
            packet = open_packet(self._keys[address.device].up, where, payload)
        except (Refused, KeyError) as error:
            log.warning("refused", topic=where, why=str(error))
            return
        await self._arrivals.put(Arrival(patient, address.kind, packet))

    async def _take_in(self) -> None:
        while True:
            batch = [await self._arrivals.get()]
            while len(batch) < BATCH and not self._arrivals.empty():
                batch.append(self._arrivals.get_nowait())
            try:
                outcomes = await asyncio.to_thread(store, self.database, batch, self._expectation(), _now_ms())
            except sqlite3.Error as error:  # not acknowledged, so the wearables send it again
                log.error("not_stored", packets=len(batch), why=str(error))
                await asyncio.sleep(DISK_PAUSE_S)
                continue
            for device in dict.fromkeys(each.arrival.patient.device for each in outcomes):
                own = [each for each in outcomes if each.arrival.patient.device == device]
                await self._downlink.send(device, "ack", acknowledgement(own))
            for outcome in outcomes:
                await self._react(outcome)

    async def _react(self, outcome: Outcome) -> None:
        patient, content = outcome.arrival.patient, outcome.content
        if outcome.code:
            log.info("packet", device=patient.device, kind=outcome.arrival.kind, code=outcome.code)
        match content:
            case FeatureBatch() if outcome.code == "":
                await self._predict(patient, content)
            case link_pb2.State():
                await self._on_state(patient, content)
            case link_pb2.Event():
                await self._on_event(patient, content)
            case tuple():
                self._labelled.set()

    async def _predict(self, patient: Patient, batch: FeatureBatch) -> None:
        kept = Features(batch.start_ms, batch.start_ms + batch.duration_ms, batch.values)
        try:
            await asyncio.to_thread(self.predictor.predict, patient.patient, batch.base_sha256, kept, _now_ms())
        except sqlite3.Error as error:  # the features are stored: the next start predicts them
            log.error("not_predicted", device=patient.device, windows=len(kept), why=str(error))

    async def _on_state(self, patient: Patient, state: link_pb2.State) -> None:
        command = command_for(self.database, patient, state, self.settings.retention_ms)
        if command is not None:
            await self._downlink.send(patient.device, "command", command)
        await self._releasing.on_state(patient.device, state)

    async def _on_event(self, patient: Patient, event: link_pb2.Event) -> None:
        if event.kind != link_pb2.Event.RELEASE:
            log.info("event", device=patient.device, kind=link_pb2.Event.Kind.Name(event.kind), code=event.code)
            return
        said = event.release
        if said.progress == link_pb2.ReleaseStatus.REFUSED:
            kind = "personal" if said.personal else "base"
            log.warning("release_refused", device=patient.device, kind=kind, version=said.version, code=said.code)
        await self._releasing.on_status(patient.device, said)

    async def _renew(self, signer: Signer) -> None:
        """Personal releases after each refit, settlement or base, and where there were not enough features before."""
        while self.settings.alarm is not None:
            for each in self.settings.patients:
                try:
                    made = await asyncio.to_thread(renew, self.database, self.settings, signer, each.patient, _now_ms())
                except (EdgeError, sqlite3.Error) as error:  # the release before goes on
                    log.error("no_personal_release", patient=each.patient, why=str(error))
                    continue
                if made:
                    log.info("personal_release", device=each.device)
                    self._releasing.offer_soon()
            try:
                async with asyncio.timeout(RENEW_LOOK_S):
                    await self._stale.wait()
            except TimeoutError:
                pass
            self._stale.clear()

    async def _refit_after_labels(self, refits: Refits) -> None:
        while True:
            await self._labelled.wait()
            await asyncio.sleep(LABEL_PAUSE_S)  # labels come in groups
            self._labelled.clear()
            for arm in self.settings.arms:
                refits.want(arm)

    async def _retain(self) -> None:
        while True:
            await asyncio.sleep(RETENTION_LOOK_S)
            await asyncio.to_thread(windows.forget, self.database, _now_ms() - self.settings.retention_ms)

    def _forget_windows(self) -> None:
        """What is past its time, or came under a consent that the configuration no longer names."""
        windows.forget(self.database, _now_ms() - self.settings.retention_ms)
        for each in self.settings.patients:
            windows.forget_patient(self.database, each.patient, each.consent)

    def _expectation(self) -> Expectation:
        base = bases.current(self.database, self.settings, self.settings.arms[0].task).base
        return Expectation(self.settings, self.predictor.window_shape, self.predictor.features_per_window, base)

    def _changed(self, release: StoredRelease | None) -> None:
        self.predictor.forget()
        if release is not None:
            self._releasing.offer_soon()
        self._stale.set()

    def _refitted(self) -> None:
        self.predictor.forget()
        self._stale.set()


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. Raises ConfigError: key, store or boot counter cannot be used."""
    known = settings.boot_counter.exists() or settings.store.exists()
    # Before the store: a gateway killed between the two starts anew, and one that lost its counter never does.
    counter = BootCounter(settings.boot_counter) if known else BootCounter.create(settings.boot_counter)
    with Database(settings.store) as database:
        asyncio.run(_main(Gateway(settings, database, counter.next())))


async def _main(gateway: Gateway) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    await gateway.run(stop)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
