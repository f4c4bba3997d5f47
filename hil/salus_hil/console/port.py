"""A serial port in asyncio: a tty by its path, a pty, `socket://host:port` or `rfc2217://host:port`, by pyserial.

DTR and RTS stay as the operating system sets them at open, both asserted, and HUPCL is cleared so that closing changes
nothing: on ESP32 boards a change of one of them is a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Final, Protocol, cast

import serial

from salus_hil.errors import PortError

READ_BYTES: Final = 65536
# For the other side to take bytes. Linux says that a pty has room only when nearly all of its 16 KB are taken, and a
# busy emulator takes 2 to 5 KB/s.
WRITE_S: Final = 20.0
OPEN_S: Final = 10.0
_POLL_S: Final = 0.1  # of the reading thread, where a port has no file descriptor


class Raw(Protocol):
    """What is used of a `serial.Serial`."""

    def open(self) -> None: ...
    def close(self) -> None: ...
    def read(self, size: int) -> bytes: ...
    def write(self, data: bytes) -> int | None: ...
    def fileno(self) -> int: ...


class Port:
    """An open port. `on_bytes` hears what comes in, `on_lost` once that the port is gone, both in the event loop."""

    def __init__(self, url: str, raw: Raw, on_bytes: Callable[[bytes], None], on_lost: Callable[[str], None]) -> None:
        self._url, self._raw, self._on_bytes, self._on_lost = url, raw, on_bytes, on_lost
        self._loop = asyncio.get_running_loop()
        self._open = True
        self._writing = asyncio.Lock()
        self._writable = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._fd = _descriptor(raw)
        if self._fd is None:
            self._thread = threading.Thread(target=self._read_in_thread, name=f"console {url}", daemon=True)
            self._thread.start()
        else:
            self._loop.add_reader(self._fd, self._readable)

    @classmethod
    async def open(cls, url: str, baud: int, on_bytes: Callable[[bytes], None], on_lost: Callable[[str], None]) -> Port:
        """Raises PortError: no such port, another program has it, no answer."""
        try:
            async with asyncio.timeout(OPEN_S):
                raw = await asyncio.to_thread(_open, url, baud)
        except (OSError, ValueError) as error:  # SerialException is an OSError, and so is TimeoutError
            raise PortError(f"port {url} does not open ({_why(error)})") from None
        return cls(url, raw, on_bytes, on_lost)

    async def write(self, data: bytes) -> None:
        """Raises PortError: the port is gone, or takes nothing for 20 s."""
        async with self._writing:
            try:
                while data:
                    async with asyncio.timeout(WRITE_S):  # for some of it: an emulator takes one byte at a time
                        written = await self._write_some(data)
                    data = data[written:]
            except TimeoutError:
                raise PortError(f"port {self._url} took no bytes for {WRITE_S:g} s") from None
            except OSError as error:
                self._lose(str(error))
                raise PortError(f"port {self._url} is gone ({error})") from None

    def close(self) -> None:
        """Idempotent; `on_lost` is not called."""
        if not self._open:
            return
        self._open = False
        self._writable.set()  # whoever waits to write hears of it
        if self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            if "://" in self._url:  # pyserial sleeps after it has closed a socket
                threading.Thread(target=self._raw.close, name=f"close {self._url}", daemon=True).start()
            else:
                self._raw.close()
        # else the reading thread closes it, within one poll

    async def _write_some(self, data: bytes) -> int:
        if not self._open:
            raise OSError("closed")
        if self._fd is None:
            return await asyncio.to_thread(self._raw.write, data) or len(data)
        self._writable.clear()
        self._loop.add_writer(self._fd, self._writable.set)
        try:
            await self._writable.wait()
        finally:
            if self._open:
                self._loop.remove_writer(self._fd)
        if not self._open:
            raise OSError("closed")
        return self._raw.write(data) or 0

    def _readable(self) -> None:
        try:
            data = self._raw.read(READ_BYTES)
        except (OSError, TypeError) as error:  # pyserial raises TypeError where the descriptor went meanwhile
            self._lose(str(error))
            return
        if data:
            self._on_bytes(data)

    def _read_in_thread(self) -> None:
        try:
            while self._open:
                if data := self._raw.read(1):
                    self._loop.call_soon_threadsafe(self._heard, data + self._raw.read(_waiting(self._raw)))
        except (OSError, TypeError) as error:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._lose, str(error))
        finally:
            self._raw.close()

    def _heard(self, data: bytes) -> None:
        if self._open:
            self._on_bytes(data)

    def _lose(self, why: str) -> None:
        if self._open:
            self.close()
            self._on_lost(why)


def _open(url: str, baud: int) -> Raw:
    remote = url.startswith("rfc2217://")
    raw = serial.serial_for_url(url, do_not_open=True, baudrate=baud, timeout=_POLL_S if remote else 0)
    if not remote:
        raw.write_timeout = 0
    if "://" not in url:
        raw.exclusive = True
    raw.open()
    _keep_lines(raw)
    return cast(Raw, raw)


def _why(error: Exception) -> str:
    """Without the port's name twice, as pyserial has it."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error) or "no answer"


def _keep_lines(raw: Raw) -> None:
    """Clear HUPCL, so that closing the port does not drop DTR and RTS."""
    try:
        import termios
    except ImportError:  # Windows has no such flag
        return
    if (descriptor := _descriptor(raw)) is None:
        return
    with contextlib.suppress(termios.error):  # a socket
        attributes = termios.tcgetattr(descriptor)
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _descriptor(raw: Raw) -> int | None:
    """For the event loop; None where there is none, as with RFC 2217."""
    try:
        return raw.fileno()
    except (AttributeError, OSError):
        return None


def _waiting(raw: Raw) -> int:
    return int(getattr(raw, "in_waiting", 0))
