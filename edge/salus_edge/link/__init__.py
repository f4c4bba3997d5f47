"""The device link: topics, sealed packets, what they say, and the MQTT connection that carries them."""

from salus_edge.link.boot import BootCounter
from salus_edge.link.connection import Connection, NotConnected, Will
from salus_edge.link.messages import FeatureBatch, Label, WindowBatch, decode_labels, encode_labels
from salus_edge.link.seal import LinkKeys, Opened, Sealed, Sealer, derive_keys, open_packet
from salus_edge.link.topics import DOWNWARD, UPWARD, Address, parse, topic

__all__ = [
    "DOWNWARD", "UPWARD", "Address", "BootCounter", "Connection", "FeatureBatch", "Label", "LinkKeys",
    "NotConnected", "Opened", "Sealed", "Sealer", "Will", "WindowBatch",
    "decode_labels", "derive_keys", "encode_labels", "open_packet", "parse", "topic",
]  # fmt: skip
