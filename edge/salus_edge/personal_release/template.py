"""The coordinator's template: a .tflite of trunk and head in which named regions are still 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256

from salus_chain.proto.release_pb2 import Manifest, Template
from salus_edge.errors import Refused


def usable_template(manifest: Manifest, content: bytes) -> Template | None:
    """The template of a base release when `content` is that; None: there can be no personal release for it."""
    template = manifest.personal_template
    if not template.sha256 or template.sha256 != sha256(content).digest() or template.size_bytes != len(content):
        return None
    return template


def fill(template: Template, content: bytes, values: Mapping[str, bytes]) -> bytes:
    """The template with all its regions filled. Raises Refused `other_template`: regions and values do not fit."""
    model = bytearray(content)
    names = [region.name for region in template.regions]
    if sorted(names) != sorted(values):
        raise Refused("other_template", f"regions {sorted(names)} where the layers have {sorted(values)}")
    for region in template.regions:
        data = values[region.name]
        if len(data) != region.size_bytes or region.offset + region.size_bytes > len(model):
            raise Refused("other_template", f"region {region.name}: {region.size_bytes} bytes, not {len(data)}")
        model[region.offset : region.offset + region.size_bytes] = data
    return bytes(model)


def check_template(template: Template, model: bytes) -> None:
    """Raises Refused `other_template` unless a model is the template with nothing but its regions changed."""
    blank, at = bytearray(model), 0
    if len(model) != template.size_bytes:
        raise Refused("other_template", f"{len(model)} bytes where the base's template has {template.size_bytes}")
    for start, end in _spans(template):
        if start < at or end > len(model):
            raise Refused("other_template", "the base's template has regions that overlap, or lie outside of it")
        blank[start:end] = bytes(end - start)
        at = end
    if sha256(blank).digest() != template.sha256:
        raise Refused("other_template", "more than the regions of the base's template is changed")


def _spans(template: Template) -> Iterable[tuple[int, int]]:
    return ((region.offset, region.offset + region.size_bytes) for region in template.regions)
