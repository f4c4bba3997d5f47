"""The pytest plugin: `pytest --salus-rig hil/rigs/native.yaml hil/suite`.

A test that takes `wearable` runs once for each wearable of the rig; `@pytest.mark.needs("power")` skips it, visibly,
where one has no such thing. Nothing heavy is imported before a rig is named.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from salus_hil.report.facts import Collected
    from salus_hil.rig.broker import Mosquitto
    from salus_hil.rig.driver import Wearable
    from salus_hil.rig.gateway import RigGateway
    from salus_hil.rig.identity import Identity
    from salus_hil.rig.package import Release
    from salus_hil.rig.rigfile import Rig, RigWearable

NEEDS: Final = (
    "needs(*things): a wearable of the rig without these skips the test: "
    "board, bridge, broker, fast, flash, network, power"
)
PROPERTY: Final = "salus"  # of a test in the JUnit file: what its wearable measured, as JSON
RIG: Final = pytest.StashKey["Rig | None"]()
COLLECTED: Final = pytest.StashKey["Collected"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("salus", "Salus: wearables on a rig")
    group.addoption("--salus-rig", type=Path, metavar="FILE", help="The rig file whose wearables are tested.")
    group.addoption(
        "--salus-wearable", action="append", metavar="ID", help="Only this wearable of the rig; may come again."
    )
    group.addoption(
        "--salus-report",
        type=Path,
        metavar="DIR",
        default=Path("hil-report"),
        help="Where report.html, junit.xml and the serial logs go (default: %(default)s).",
    )


@pytest.hookimpl(tryfirst=True)  # before the JUnit plugin looks at its option
def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", NEEDS)
    config.stash[RIG] = None
    path: Path | None = config.getoption("--salus-rig")
    if path is None:
        return
    config.stash[RIG] = _read(path, config.getoption("--salus-wearable") or [])
    if hasattr(config, "workerinput"):  # of pytest-xdist: its controller writes the reports
        return
    from salus_hil.report.facts import Collected

    config.stash[COLLECTED] = Collected(str(path))
    folder: Path = config.getoption("--salus-report")
    folder.mkdir(parents=True, exist_ok=True)
    config.option.xmlpath = config.getoption("xmlpath", None) or str(folder / "junit.xml")
    config.pluginmanager.register(_Reporter(config.stash[COLLECTED], folder), "salus_hil_reporter")


def _read(path: Path, only: list[str]) -> Rig:
    from salus_hil.errors import ConfigError
    from salus_hil.rig.rigfile import Rig, read_rig

    try:
        rig = read_rig(path)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    known = [each.id for each in rig.wearables]
    if odd := sorted(set(only) - set(known)):
        raise pytest.UsageError(f"{path}: no wearable {', '.join(odd)}; it has {', '.join(known)}")
    chosen = tuple(each for each in rig.wearables if not only or each.id in only)
    for each in chosen:
        if each.program is not None and not each.program.is_file():
            raise pytest.UsageError(f"{each.id}: no program at {each.program}; build it with scripts/firmware build")
    return Rig(path, chosen)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "rig_wearable" not in metafunc.fixturenames:
        return
    rig = metafunc.config.stash[RIG]
    if rig is None:
        missing = pytest.param(None, marks=pytest.mark.skip(reason="no rig: name one with --salus-rig"), id="no rig")
        metafunc.parametrize("rig_wearable", [missing])
        return
    needed = {thing for mark in metafunc.definition.iter_markers("needs") for thing in mark.args}
    metafunc.parametrize("rig_wearable", [_parameter(each, needed) for each in rig.wearables])


def _parameter(wearable: RigWearable, needed: set[str]) -> object:
    lacking = ", ".join(sorted(needed - wearable.has))
    marks = [pytest.mark.skip(reason=f"{wearable.id} has no {lacking}")] if lacking else []
    return pytest.param(wearable, marks=marks, id=wearable.id)


class _Reporter:
    """Collects what every test says, and writes the page when all are done."""

    def __init__(self, collected: Collected, folder: Path) -> None:
        self._collected, self._folder = collected, folder

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._collected.add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        from salus_hil.report.page import write

        terminalreporter.write_line(f"salus: {write(self._collected, self._folder)}")


def _name(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", request.node.nodeid.rsplit("/", 1)[-1])


@pytest.fixture
def wearable(rig_wearable: RigWearable, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wearable]:
    """A wearable with power, as it left the factory. Its serial log and its figures are kept for the report."""
    from salus_hil.rig.driver import Wearable
    from salus_hil.rig.runners import make_runner

    logs = Path(request.config.getoption("--salus-report")) / "logs" / _name(request)
    shutil.rmtree(logs, ignore_errors=True)
    folder = tmp_path / rig_wearable.id
    with Wearable(rig_wearable, make_runner(rig_wearable, folder), logs / "serial.log") as made:
        made.start()
        if "board" in rig_wearable.has:
            made.factory_erase()
        yield made
        made.last_look()
    for log in folder.glob("*.log"):
        shutil.copy(log, logs)
    facts = {"wearable": rig_wearable.id, "log": str(logs.name), "samples": made.samples}
    request.node.user_properties.append((PROPERTY, json.dumps(facts)))


@pytest.fixture
def identity() -> Identity:
    """Who the wearable becomes: fresh keys for every test."""
    from salus_hil.rig.identity import Identity

    return Identity()


@pytest.fixture
def broker(rig_wearable: RigWearable, tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker of this test's own, which the wearable can reach."""
    from salus_hil.rig.broker import Mosquitto, mosquitto_path

    if mosquitto_path() is None:
        pytest.skip("mosquitto is not installed")
    made = Mosquitto(tmp_path / "broker", rig_wearable.entry.broker_host)
    made.start()
    yield made
    made.kill()


@pytest.fixture
def gateway(broker: Mosquitto, identity: Identity) -> Iterator[RigGateway]:
    """The wearable's gateway, connected."""
    from salus_hil.rig.gateway import RigGateway

    with RigGateway(broker, identity) as made:
        yield made


@pytest.fixture
def release(identity: Identity) -> Release:
    """The first release of the suite's task."""
    from salus_coordinator.errors import MissingTool
    from salus_hil.rig.package import make_release

    try:
        return make_release(1, identity.chain_id)
    except MissingTool as error:
        pytest.skip(str(error))


@pytest.fixture
def enrolled(wearable: Wearable, broker: Mosquitto, identity: Identity, release: Release) -> Wearable:
    """The wearable, enrolled, with the first release and its link up, by the bridge where it has no network."""
    wearable.enrol(identity, broker.url)
    wearable.must_take(release.signed(identity))
    if "bridge" in wearable.rig.has:
        wearable.bridge(broker.local_url)
    wearable.wait(lambda said: said.link_up, "link to the broker")
    return wearable
