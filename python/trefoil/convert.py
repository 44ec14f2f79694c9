"""Models from elsewhere, and to there."""

from __future__ import annotations

from os import PathLike
from typing import Any

from ._core import Model
from ._keras import from_keras
from ._torch import from_torch, to_torch

__all__ = ["from_keras", "from_onnx", "from_torch", "to_torch"]


def from_onnx(model: str | PathLike[str] | Any) -> Model:
    """A model from an ONNX file by its name, from a file's bytes, or from a `ModelProto` of the package onnx.

    The operators that are known are in docs/onnx.md.
    """
    if isinstance(model, bytes):
        return Model.from_bytes(model)
    if hasattr(model, "SerializeToString"):
        return Model.from_bytes(model.SerializeToString())
    return Model.load(model)
