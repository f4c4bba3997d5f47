"""The serial log: one line per frame, log line or stretch of noise. Contents of requests are not written: secrets."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from salus_edge.proto.console_pb2 import Frame, Log
from salus_hil.console.frames import Noise


class Transcript:
    """Appends to a file, or to nothing. Every line is whole on disk when its call returns."""

    def __init__(self, path: Path | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", buffering=1, encoding="utf-8") if path is not None else None

    def sent(self, frame: Frame) -> None:
        if self._file is None:  # hundreds of wearables talk without a log
            return
        self._line(">", _summary(frame))

    def received(self, frame: Frame) -> None:
        if self._file is None:
            return
        if frame.WhichOneof("body") == "log":
            level = Log.Level.Name(frame.log.level).lower()
            self._line("|", f"{frame.log.uptime_ms / 1000:.3f} {level} {frame.log.text}")
        else:
            self._line("<", _summary(frame))

    def noise(self, noise: Noise) -> None:
        text = noise.data.decode("ascii", "backslashreplace")
        self._line("~", f"{noise.why} {len(noise.data)} bytes {text!r}")

    def note(self, text: str) -> None:
        """What happened to the port, or where a test begins."""
        self._line("#", text)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Transcript:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _line(self, mark: str, text: str) -> None:
        if self._file is not None:
            self._file.write(f"{self._now().isoformat(timespec='milliseconds')} {mark} {text}\n")


def _summary(frame: Frame) -> str:
    name = frame.WhichOneof("body") or "nothing"
    failure = f" {frame.failure.code}: {frame.failure.detail}" if name == "failure" else ""
    return f"{frame.request_id} {name} {frame.ByteSize()} bytes{failure}"
