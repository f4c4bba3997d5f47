"""The front end: fixed, causal signal processing from the sensor's samples to the model's windows."""

from salus_edge.frontend.chunk import Chunk, Wrist
from salus_edge.frontend.pipeline import FrontEnd, State, Windows, cut, joined, manifest_frontend, quantise

__all__ = ["Chunk", "FrontEnd", "State", "Windows", "Wrist", "cut", "joined", "manifest_frontend", "quantise"]
