"""Neural networks trained on secret shares: three parties compute, and none of them learns a record or a weight.

>>> from sklearn.datasets import load_digits
>>> from trefoil import TrefoilClassifier
>>> X, y = load_digits(return_X_y=True)
>>> TrefoilClassifier().fit(X, y).score(X, y)  # doctest: +SKIP
0.99...

`fit` runs the three parties on threads of this process, with the protocols that they run between organisations. It shows what training on
shares gives and what it costs; it protects nothing from whoever runs this process.
"""

from ._core import Job, Key, Model, Service, __version__
from .convert import from_onnx, from_torch, to_torch
from .errors import (
    ConfigError,
    DataError,
    Error,
    FileError,
    ModelError,
    NetworkError,
    ProtocolError,
    RefusedError,
    TrainingError,
)
from .estimators import TrefoilClassifier, TrefoilRegressor
from .organisations import fetch, share

__all__ = [
    "ConfigError",
    "DataError",
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
    "from_onnx",
    "from_torch",
    "share",
    "to_torch",
]
