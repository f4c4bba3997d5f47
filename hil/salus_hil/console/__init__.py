"""The host's end of a wearable's serial console."""

from salus_hil.console.client import Console, frame_of
from salus_hil.console.frames import MAX_FRAME_BYTES, Noise, Payload, Reader, encode_frame
from salus_hil.console.port import Port
from salus_hil.console.transcript import Transcript

__all__ = ["MAX_FRAME_BYTES", "Console", "Noise", "Payload", "Port", "Reader", "Transcript", "encode_frame", "frame_of"]
