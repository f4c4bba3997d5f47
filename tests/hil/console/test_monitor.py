"""What `salus hil monitor` shows of a port."""

from __future__ import annotations

from io import StringIO

from rich.console import Console as Screen

from salus_edge.proto import console_pb2 as pb
from salus_hil.console import Console, frame_of
from salus_hil.rig.watching import show_logs
from tests.hil.console.device import PtyDevice


async def test_log_lines_and_a_panics_text_are_shown_and_damage_is_not() -> None:
    device = PtyDevice(lambda frame: [frame_of(pb.HelloReply(), frame.request_id)])
    screen = Screen(file=StringIO(), width=100)
    async with Console(device.url) as console:
        show_logs(console, screen)
        device.say(
            b"Guru [bold]Meditation\r\n", frame_of(pb.Log(text="starts", uptime_ms=1500), 0), b"\x00\xff\xfe\x05"
        )
        await console.hello()
    device.hang_up()
    assert isinstance(screen.file, StringIO)
    assert [line.strip() for line in screen.file.getvalue().splitlines()] == ["Guru [bold]Meditation", "1.500  starts"]
