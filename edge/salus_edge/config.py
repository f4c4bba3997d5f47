"""gateway.toml: one gateway, its patients, and the arms it learns for. Secrets stand in files of their
own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from salus_chain.config import Config, beside, load
from salus_chain.genesis import Genesis, read_genesis
from salus_edge.errors import ConfigError, EdgeError, Refused
from salus_edge.labels import check_training_sources
from salus_edge.link.topics import topic
from salus_edge.package import ModelPackage, read_package
from salus_edge.personal_release import MAX_CLASSES, MAX_CONFIRM, AlarmRule

SECRET_BYTES = 32
MAX_REFRACTORY_S = 24 * 3600


class Mqtt(Config, frozen=True):
    """The broker: `mqtt://host:port`, or `mqtts://…` (salus_edge.link.url)."""

    url: str


class PatientConfig(Config, frozen=True):
    """A patient, her wearable, the file of its link secret, and her consent as it stands on chain
    (hexadecimal).

    `calibrate` asks the wearable for windows until the next base release is active on it.
    """

    patient: str
    device: str
    link_secret: str
    consent: str = ""
    calibrate: bool = False


class ArmConfig(Config, frozen=True):
    """A task id on the chain, and the label sources that train it."""

    task: str
    labels: tuple[str, ...] = ("setup",)


class AlarmConfig(Config, frozen=True):
    """When a wearable raises its patient's alarm by itself, also out of reach: the mean probability of `classes` over
    `confirm` windows is at least `threshold`; then not again for `refractory_s`. With this, each wearable gets its
    patient's trunk and head as a personal release.
    """

    classes: tuple[str, ...]
    threshold: float = 0.8
    refractory_s: int = 60


class GatewayConfig(Config, frozen=True):
    """gateway.toml as written. The first arm is the main task: its releases go to the wearables."""

    gateway: str
    key: str
    genesis: str
    federation: str
    store: str
    store_key: str
    model: str
    mqtt: Mqtt
    patients: tuple[PatientConfig, ...]
    arms: tuple[ArmConfig, ...]
    validators: tuple[str, ...] = ()
    retention_days: int = 30
    confirm: int = 1  # windows whose mean probability decides
    alarm: AlarmConfig | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient with her secrets read. `consent` is 32 bytes, or empty."""

    patient: str
    device: str
    link_secret: bytes
    consent: bytes
    calibrate: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """gateway.toml with its files found and read; `key` stays a path until something is signed."""

    path: Path
    gateway: str
    key: Path
    genesis: Genesis
    validators: tuple[str, ...]
    store: Path
    store_key: bytes
    package: ModelPackage
    mqtt_url: str
    patients: tuple[Patient, ...]
    arms: tuple[ArmConfig, ...]
    retention_ms: int
    confirm: int
    alarm: AlarmRule | None = None

    @property
    def boot_counter(self) -> Path:
        return self.store.with_name(self.store.name + ".boot")


def read_settings(path: Path) -> Settings:
    """Raises ConfigError naming file and key: unknown, missing or impossible."""
    raw = load(path, GatewayConfig)
    genesis = read_genesis(beside(path, raw.genesis))
    if raw.federation != genesis.federation:
        raise ConfigError(f"{path}: federation: {raw.federation!r}, but the genesis is of {genesis.federation!r}")
    if raw.retention_days < 1 or raw.confirm < 1:
        raise ConfigError(f"{path}: retention_days and confirm are at least 1")
    _check_arms(path, raw.arms)
    package = read_package(beside(path, raw.model))
    _check_unique(path, "patients.patient", [each.patient for each in raw.patients])
    _check_unique(path, "patients.device", [each.device for each in raw.patients])
    return Settings(
        path,
        raw.gateway,
        beside(path, raw.key),
        genesis,
        raw.validators or tuple(each.url for each in genesis.validators),
        beside(path, raw.store),
        read_secret(beside(path, raw.store_key), "store_key"),
        package,
        raw.mqtt.url,
        tuple(_patient(path, raw.federation, each) for each in raw.patients),
        raw.arms,
        raw.retention_days * 24 * 3_600_000,
        raw.confirm,
        _alarm(path, raw, package.task.classes) if raw.alarm else None,
    )


def read_secret(path: Path, name: str) -> bytes:
    """32 bytes, written as 64 hexadecimal digits. Raises ConfigError, also when others may read the file."""
    try:
        secret = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as error:
        raise ConfigError(f"{path}: {name}: cannot be read: {error.strerror}") from None
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise ConfigError(f"{path}: {name}: is not {2 * SECRET_BYTES} hexadecimal digits")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: {name}: others may read it; run chmod 600 {path}")
    return secret


def _alarm(path: Path, raw: GatewayConfig, classes: Sequence[str]) -> AlarmRule:
    alarm = raw.alarm
    assert alarm is not None
    unknown = sorted(set(alarm.classes) - set(classes))
    if unknown or not alarm.classes:
        raise ConfigError(f"{path}: alarm, classes: {unknown or 'none'}; the task's are {', '.join(classes)}")
    if not 0 < alarm.threshold <= 1 or not 0 <= alarm.refractory_s <= MAX_REFRACTORY_S or raw.confirm > MAX_CONFIRM:
        raise ConfigError(
            f"{path}: alarm: threshold is above 0 and at most 1, refractory_s 0 to {MAX_REFRACTORY_S}, "
            f"and a wearable confirms over at most {MAX_CONFIRM} windows"
        )
    if len(classes) > MAX_CLASSES:
        raise ConfigError(f"{path}: alarm: a wearable tells at most {MAX_CLASSES} classes apart, not {len(classes)}")
    indices = tuple(sorted(classes.index(each) for each in set(alarm.classes)))
    return AlarmRule(indices, alarm.threshold, 1000 * alarm.refractory_s, raw.confirm)


def _patient(path: Path, federation: str, raw: PatientConfig) -> Patient:
    where = f"{path}: patients, {raw.patient}"
    try:
        consent = bytes.fromhex(raw.consent)
        topic(federation, raw.device, "state")
    except ValueError:
        raise ConfigError(f"{where}: consent: is not hexadecimal") from None
    except EdgeError as error:
        raise ConfigError(f"{where}: {error}") from None
    if len(consent) not in (0, 32) or (raw.calibrate and not consent):
        raise ConfigError(f"{where}: consent: a 32-byte digest is wanted, as on chain, to calibrate")
    secret = read_secret(beside(path, raw.link_secret), "link_secret")
    return Patient(raw.patient, raw.device, secret, consent, raw.calibrate)


def _check_arms(path: Path, arms: Sequence[ArmConfig]) -> None:
    if not arms:
        raise ConfigError(f"{path}: arms: at least one is needed, the first is the main task")
    _check_unique(path, "arms.task", [each.task for each in arms])
    for arm in arms:
        try:
            check_training_sources(arm.labels)
        except Refused as error:
            raise ConfigError(f"{path}: arms, {arm.task}: labels: {error}") from None


def _check_unique(path: Path, name: str, values: Sequence[str]) -> None:
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise ConfigError(f"{path}: {name}: {twice[0]!r} stands twice")
