"""The part in Rust."""

from collections.abc import Iterator
from os import PathLike
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Job", "Key", "Model", "Run", "Service", "__version__", "matrix", "party", "schema"]

__version__: str

@final
class Key:
    """A certificate with its private key: a file that `trefoil keygen` has written, "env:NAME", or "fd:N".

    The passphrase of a file is in the environment's TREFOIL_PASSPHRASE, or is asked at the terminal.
    """

    def __new__(cls, source: str | PathLike[str]) -> Key: ...
    @property
    def fingerprint(self) -> str:
        """The certificate's fingerprint, 64 hexadecimal digits: public, and who its holder is to all others."""

@final
class Job:
    """What is trained on whose records by whom for whom: a job's file, as `trefoil job` has it.

    Its methods speak to the job's parties as the holder of a key. `timeout` is in seconds: how long a party is called, and its answer waited
    for.
    """

    @staticmethod
    def load(path: str | PathLike[str], peers: str | PathLike[str] = ...) -> Job:
        """A job from its file; members that it calls by their names alone are looked up in the file `peers`, peers.toml by default."""
    @staticmethod
    def build(
        name: str,
        party: list[Any],
        owner: list[Any],
        data: dict[str, Any],
        model_owner: str | dict[str, Any] | None = None,
        train: dict[str, Any] | None = None,
        peers: str | PathLike[str] = ...,
        **fields: Any,
    ) -> Job:
        """A job from what its file would say: its tables as dicts, its members as names, or as dicts with `name`, `fingerprint`, and of a
        party `address`. `data` may come from `trefoil.schema`; more fields are those of docs/jobs.md."""
    def save(self, path: str | PathLike[str]) -> None:
        """Writes the job's file, with every member's fingerprint, as `trefoil job show` has it."""
    @property
    def hash(self) -> str:
        """SHA-256 of all that it says, 64 hexadecimal digits: what everybody approves."""
    @property
    def name(self) -> str:
        """Its name, for people."""
    def propose(self, key: str | PathLike[str] | Key, timeout: float = 30.0) -> None:
        """Brings the job to its three parties, for their operators to look at."""
    def approve(
        self, key: str | PathLike[str] | Key, start: str | PathLike[str] | None = None, timeout: float = 30.0
    ) -> None:
        """Agrees to the job: as an operator at one's own party, as a data owner or model owner at all three."""
    def status(self, key: str | PathLike[str] | Key, timeout: float = 30.0) -> dict[str, Any]:
        """How the job stands, by the names of the parties."""
    def wait(self, key: str | PathLike[str] | Key, seconds: float = 3600.0, timeout: float = 30.0) -> dict[str, Any]:
        """Waits until the job is trained, at most `seconds`, and gives its status then."""
    def share(
        self, records: Any, key: str | PathLike[str] | Key, timeout: float = 30.0, stacklevel: int = 1
    ) -> dict[str, Any]:
        """Shares all records of a data frame: see `trefoil.share`. `stacklevel` is that of its warnings."""
    def fetch(self, key: str | PathLike[str] | Key, timeout: float = 30.0) -> Model:
        """Fetches the model: see `trefoil.fetch`."""

@final
class Service:
    """A model that nobody has: three parties answer from its shares. `path` is the service's file, `key` that of one of its clients."""

    def __new__(
        cls,
        path: str | PathLike[str],
        key: str | PathLike[str] | Key,
        peers: str | PathLike[str] = ...,
        timeout: float = 30.0,
    ) -> Service: ...
    @property
    def hash(self) -> str:
        """SHA-256 of all that the service's file says, 64 hexadecimal digits."""
    def predict(self, records: Any) -> NDArray[Any]:
        """The names of the likeliest classes, or a regression's values in the target's own unit, of shape (records,)."""
    def answers(self, records: Any) -> NDArray[np.float64]:
        """Probabilities of shape (records, classes), or values of shape (records, 1); only of a service that tells more than the class."""

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
    @staticmethod
    def from_parameters(
        network: str, parameters: dict[str, NDArray[np.float64]], classes: list[str] | None = None
    ) -> Model:
        """A model from its network in JSON and its parameters by their names, each of shape (values,)."""
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
    def graph(self) -> dict[str, Any]:
        """The network as data: the shape of a record, `input`, and `nodes`, each with its operation, `op`, and its `name`."""
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
    def prepare(self, records: Any) -> NDArray[np.float64]:
        """The network's inputs for records: standardised, clipped, a number for each text of a category, of shape (records, inputs)."""
    def to_torch(self) -> Any:
        """The network as a PyTorch `nn.Sequential`: see `trefoil.to_torch`."""
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
        processes: str | PathLike[str] | None = None,
        metrics: list[str] = ...,
    ) -> Run: ...
    def __iter__(self) -> Iterator[tuple[int, int] | dict[str, Any]]: ...
    def __next__(self) -> tuple[int, int] | dict[str, Any]: ...
    def stop(self) -> None: ...
    def model(self) -> Model: ...

def matrix(records: Any) -> tuple[list[str], NDArray[np.float64]]:
    """Records that are numbers: the names of their columns, and the values, of shape (records, columns)."""

def party() -> None:
    """What a party's process does: `python -m trefoil.party`, which a training starts."""

def schema(
    records: Any, label: str, task: str | None = None, id: str | None = None, without: list[str] = ...
) -> dict[str, Any]:
    """A job's `data` for records like these: see `trefoil.schema`."""
