"""Procedural FLAIR phantoms: skull-stripped brains with and without tumours, from a seed."""

from clisc_engine.imaging.phantom.acquisition import Protocol
from clisc_engine.imaging.phantom.lesion import LesionKind
from clisc_engine.imaging.phantom.phantom import Phantom, make_phantom

__all__ = ["LesionKind", "Phantom", "Protocol", "make_phantom"]
