"""The part in Rust."""

from collections.abc import Iterator
from os import PathLike
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Model", "Run", "__version__"]

__version__: str

@final
class Model:
    """A trained network in the clear, with what it needs to know of records.

    `answers` and `predict` take records as they are, in their own units: a data frame of pandas or polars with the model's columns by their
    names, in any order and with others among them, or an array of shape (records, columns) in the model's order.
    """

    @staticmethod
    def load(path: str | PathLike[str]) -> Model:
        """A model from a file: safetensors, a NumPy archive, or ONNX by its name."""
    @staticmethod
    def from_bytes(data: bytes) -> Model:
        """A model from the bytes of a file: safetensors, a NumPy archive, or ONNX."""
    def save(self, path: str | PathLike[str]) -> None:
        """Writes a file in the format that its name says, `.safetensors`, `.npz` or `.onnx`: all of it or, where that fails, nothing."""
    def to_onnx(self, path: str | PathLike[str]) -> None:
        """Writes an ONNX file, whatever its name, which takes records as they are."""
    def to_bytes(self) -> bytes:
        """The bytes of a safetensors file."""
    def state_dict(self) -> dict[str, NDArray[np.float32]]:
        """The parameters as PyTorch names and lays them out: `fc1.weight` of shape (outputs, inputs), `fc1.bias` of shape (outputs,)."""
    @property
    def network(self) -> str:
        """The network, such as "64-256-10"."""
    @property
    def task(self) -> str:
        """ "classification" or "regression"."""
    @property
    def classes(self) -> list[str] | None:
        """The names of the classes, in the order of the columns of `answers`; `None` for a regression."""
    def answers(self, records: Any) -> NDArray[np.float64]:
        """Probabilities of shape (records, classes), or a regression's values in the target's own unit, of shape (records, 1)."""
    def predict(self, records: Any) -> NDArray[Any]:
        """The names of the likeliest classes, or a regression's values in the target's own unit, of shape (records,)."""
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...

@final
class Run:
    """A training that goes on."""

    def __new__(
        cls,
        records: tuple[NDArray[np.float64], NDArray[np.float64]],
        names: list[str],
        classes: list[str],
        settings: str,
        suite: str | None,
        held_out: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> Run: ...
    def __iter__(self) -> Iterator[tuple[int, int] | dict[str, Any]]: ...
    def __next__(self) -> tuple[int, int] | dict[str, Any]: ...
    def stop(self) -> None: ...
    def model(self) -> Model: ...
