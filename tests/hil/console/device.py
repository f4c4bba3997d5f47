"""A console's device side on a pty, as little as the host's tests need: it answers as a function says."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Callable, Iterable

from salus_edge.proto import console_pb2 as pb
from salus_hil.console import Payload, Reader, encode_frame

Answer = Callable[[pb.Frame], Iterable[pb.Frame | bytes]]


class PtyDevice:
    """`url` is the port to open. `heard` holds the frames that came, `hang_up` takes the port away."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.heard: list[pb.Frame] = []
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.url = os.ttyname(slave)
        self._slave = slave
        self._there = True
        self._reader = Reader()
        self._out = bytearray()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, self._readable)

    def say(self, *said: pb.Frame | bytes) -> None:
        for each in said:
            self._out += each if isinstance(each, bytes) else encode_frame(each.SerializeToString())
        self._loop.add_writer(self._master, self._writable)

    def hang_up(self) -> None:
        """Idempotent."""
        if not self._there:
            return
        self._there = False
        self._loop.remove_reader(self._master)
        self._loop.remove_writer(self._master)
        os.close(self._slave)
        os.close(self._master)

    def _readable(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except BlockingIOError:
            return
        for found in self._reader.feed(data):
            if isinstance(found, Payload):
                frame = pb.Frame.FromString(found.data)
                self.heard.append(frame)
                self.say(*self._answer(frame))

    def _writable(self) -> None:
        if self._out:
            del self._out[: os.write(self._master, self._out)]
        if not self._out:
            self._loop.remove_writer(self._master)
