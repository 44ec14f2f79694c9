"""A network put together layer by layer, of a model from elsewhere."""

import json
import re

import numpy as np

from ._core import Model
from .errors import ConfigError


class Network:
    """Nodes with their parameters. Outputs go by what they are called elsewhere; the record is called "input"."""

    def __init__(self, input):
        self.input, self._nodes, self._parameters = input, [], {}
        self._names = {"input": "input"}

    def add(self, called, operation, sources, parameters, name=None):
        """A layer that takes the outputs `sources`, with its parameters: arrays, or None for what it lacks. Its name is `name`, or what it is called."""
        name = re.sub("[^A-Za-z0-9]", "_", called if name is None else name) or "layer"
        if any(node["name"] == name for node in self._nodes):
            raise ConfigError(f"{called}: found it a second time, expected each layer once")
        self._nodes.append({"op": operation, "name": name, "from": [self._names[source] for source in sources]})
        self._names[called] = name
        parameters = {key: numbers(values) for key, values in parameters.items() if values is not None}
        # A layer may have no bias elsewhere.
        if "weight" in parameters:
            parameters.setdefault("bias", np.zeros(len(parameters["weight"])))
        self._parameters |= {f"{name}.{key}": values for key, values in parameters.items()}

    def same(self, called, source):
        """What is called so is another output."""
        self._names[called] = self._names[source]

    def model(self, classes):
        """All of it as a model."""
        if self.input is None:
            raise ConfigError("input: found none, expected (channels, height, width), or a number of features")
        network = {"input": self.input if isinstance(self.input, int) else list(self.input), "nodes": self._nodes}
        flat = {name: np.ascontiguousarray(values, dtype=np.float64).reshape(-1) for name, values in self._parameters.items()}
        return Model.from_parameters(json.dumps(network), flat, classes)


def numbers(values):
    """A tensor's values, wherever it is."""
    for step in ("detach", "cpu", "numpy"):
        values = getattr(values, step)() if hasattr(values, step) else values
    return np.asarray(values, dtype=np.float64)


def pair(value):
    """Height and width, which may be given as one number."""
    return [value, value] if isinstance(value, int) else list(value)
