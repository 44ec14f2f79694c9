"""Neural networks trained on secret shares: three parties compute, and none of them learns a record or a weight.

>>> from sklearn.datasets import load_digits
>>> from trefoil import TrefoilClassifier
>>> X, y = load_digits(return_X_y=True)
>>> TrefoilClassifier().fit(X, y).score(X, y)  # doctest: +SKIP
0.99...

`fit` runs the three parties on threads of this process, or as processes on this machine, with the protocols that they run between
organisations. It shows what training on shares gives and what it costs; it protects nothing from whoever runs this process.
"""

from typing import TYPE_CHECKING

from ._core import Job, Key, Model, Service, __version__
from .convert import from_keras, from_onnx, from_torch, to_torch
from .errors import (
    ConfigError,
    DataError,
    DataWarning,
    Error,
    FileError,
    ModelError,
    NetworkError,
    ProtocolError,
    RefusedError,
    TrainingError,
)
from .organisations import fetch, schema, share

if TYPE_CHECKING:
    from .estimators import TrefoilClassifier, TrefoilRegressor

__all__ = [
    "ConfigError",
    "DataError",
    "DataWarning",
    "Error",
    "FileError",
    "Job",
    "Key",
    "Model",
    "ModelError",
    "NetworkError",
    "ProtocolError",
    "RefusedError",
    "Service",
    "TrainingError",
    "TrefoilClassifier",
    "TrefoilRegressor",
    "__version__",
    "fetch",
    "from_keras",
    "from_onnx",
    "from_torch",
    "schema",
    "share",
    "to_torch",
]


def __getattr__(name):
    """The estimators, once somebody wants them: scikit-learn takes a while to load, and a party's process has no use for it."""
    if name in ("TrefoilClassifier", "TrefoilRegressor", "estimators"):
        from importlib import import_module

        estimators = import_module(".estimators", __name__)
        return estimators if name == "estimators" else getattr(estimators, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
