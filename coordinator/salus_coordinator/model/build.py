"""`salus model build`: from a task and a data set to a model package, or the cached one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording
from salus_coordinator.data.sources import file_of, load
from salus_coordinator.data.split import Range, Split, allot, bouts, people
from salus_coordinator.data.windows import Labelled, labelled
from salus_coordinator.errors import DataError, MissingTool
from salus_coordinator.model import cache, package
from salus_coordinator.model.opened import check_program
from salus_coordinator.model.pretrain import Recipe, pretrain
from salus_coordinator.model.quantise import Reference
from salus_edge.task import Task

REFERENCE_WINDOWS: Final = 512
REFERENCE_HOP: Final = 8  # samples: a gate of 1 point needs a few hundred windows to be more than chance
LATER: Final = 0.8  # the pre-training people's time after this is the reference set, never trained on


@dataclass(frozen=True, slots=True)
class Request:
    """What to build. `pretrain` people pre-train; None is 40 % of the set's."""

    task: Task
    data: str
    seed: int = 0
    pretrain: int | None = None
    recipe: Recipe = field(default_factory=Recipe)
    root: Path | None = None


@dataclass
class Stages:
    """Names a stage when it starts and remembers the seconds it took."""

    say: Callable[[str], None] = lambda _: None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, text: str) -> Iterator[None]:
        self.say(text)
        begin = time.monotonic()
        yield
        self.seconds[f"{name}_s"] = round(time.monotonic() - begin, 2)


def build(request: Request, out: Path, say: Callable[[str], None] = lambda _: None) -> bool:
    """Write the package to `out`; True when it was cached. Raises DataError, ModelError, MissingTool."""
    chosen, _ = people(load_for(request), request.pretrain, request.seed)
    name = cache.key(request.task, data_digest(request), chosen, request.recipe, request.seed)
    kept = cache.folder_of(name)
    if (kept / "report.json").is_file():
        cache.copy(kept, out)
        return True
    package.write(_make(request, chosen, Stages(say)), kept)
    cache.copy(kept, out)
    return False


def load_for(request: Request) -> DataSet:
    """The data set as its task wants it: when a session holds many classes, one recording per bout."""
    dataset = load(request.data, request.root)
    many = any(len({span.label for span in recording.spans}) > 1 for recording in dataset.recordings)
    return bouts(dataset, frozenset(request.task.classes)) if many else dataset


def data_digest(request: Request) -> str:
    """SHA-256 of the data set's file. Raises DataError `absent`."""
    path = file_of(request.data, request.root)
    if path is None:
        raise DataError("absent", f"{request.data} is not installed; `salus data list` says how to get it")
    return sha256(path.read_bytes()).hexdigest()


def training_pairs(
    dataset: DataSet, who: tuple[str, ...], gap_samples: int
) -> tuple[list[tuple[Recording, Range | None]], list[tuple[Recording, Range | None]]]:
    """(earlier, later) time of the pre-training people: what is trained on, and the reference set."""
    split = Split(setup=LATER, diary=LATER, test=LATER, gap_samples=gap_samples)
    rows = [row for row in zip(dataset.recordings, allot(dataset, split), strict=True) if row[0].subject in who]
    earlier: list[tuple[Recording, Range | None]] = [(recording, part["setup"]) for recording, part in rows]
    return earlier, [(recording, part["reference"]) for recording, part in rows]


def reference_of(data: Labelled, limit: int = REFERENCE_WINDOWS) -> Reference:
    """At most `limit` windows, as even over the classes and over time as there are."""
    order: list[tuple[float, int]] = []
    for label in np.unique(data.labels):
        indices = np.flatnonzero(data.labels == label)
        order += [((rank * 0.618034) % 1.0, int(index)) for rank, index in enumerate(indices)]
    per_class = max(limit // len(np.unique(data.labels)), 1)
    taken: dict[int, int] = {}
    chosen = []
    for _, index in sorted(order):
        label = int(data.labels[index])
        if taken.get(label, 0) < per_class:
            taken[label] = taken.get(label, 0) + 1
            chosen.append(index)
    picked = np.array(sorted(chosen))
    return Reference(data.windows[picked], data.labels[picked])


def _make(request: Request, chosen: tuple[str, ...], stages: Stages) -> package.Package:
    task, recipe = request.task, request.recipe
    with stages.stage("data", f"cutting windows of {len(chosen)} people of {request.data}"):
        earlier, later = training_pairs(load_for(request), chosen, task.window.samples)
        train = labelled(task, earlier, recipe.hop, recipe.margin)
        reference = reference_of(labelled(task, later, REFERENCE_HOP))
    with stages.stage("import", "importing TensorFlow"):
        convert = _converter()
    with stages.stage("convert", "compiling the training program"):
        program = convert(task)
    with stages.stage("pretrain", f"pre-training on {len(train.labels)} windows, {recipe.steps} steps"):
        flat = pretrain(task, program, train, recipe, request.seed)
    check_program(task, program, flat, reference.windows)
    stages.say("quantising, running TFLM on the reference set")
    facts = {"windows": float(len(train.labels)), "people": float(len(chosen)), **stages.seconds}
    return package.assemble(task, program, flat, reference, measured=facts)


def _converter() -> Callable[[Task], bytes]:
    try:
        from salus_coordinator.model.program import convert
    except ImportError as error:
        raise MissingTool(f"building a model needs TensorFlow: `pip install 'salus[build]'` ({error})") from None
    return convert
