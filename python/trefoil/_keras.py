"""Models from Keras, version 2 or 3, which is not imported: a model describes itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._core import Model
from ._network import Network, numbers, pair
from .errors import ConfigError

ACTIVATIONS = {"relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh"}


def from_keras(model: Any, classes: list[str] | None = None) -> Model:
    """A model with the layers and the weights of a Keras model, a `Sequential` or a functional one.

    `classes` are the names of the outputs' classes, where they are to have some. Layers: Dense, Conv2D, MaxPooling2D, AveragePooling2D,
    GlobalAveragePooling2D, BatchNormalization, Dropout, Flatten, Add, Activation, ReLU, LeakyReLU, Softmax; activations relu, sigmoid and tanh. The
    network ends in logits, or a value: a softmax at its end is left out, and the sigmoid of a network with one output, of two classes. Images
    are channels first here: of `x` as Keras takes it, the model takes `x.transpose(0, 3, 1, 2).reshape(len(x), -1)`.
    """
    return _Walk(model).model(classes)


class _Walk:
    """Goes through the layers. Of each output it knows the shape, channels first, and where a flat one's values stand in Keras's order."""

    def __init__(self, model):
        self.layers = [_Layer(layer) for layer in model.get_config()["layers"]]
        self.weights = {layer.name: layer.get_weights() for layer in model.layers}
        self.network, self.shapes, self.orders, self.binary = Network(None), {}, {}, False

    def model(self, classes):
        before, functional = "input", any(layer.sources for layer in self.layers)
        for layer in self.layers:
            if layer.kind == "InputLayer":
                if functional and "input" in self.shapes:
                    raise ConfigError(f"{layer.name}: found a second input, expected one")
                self._input(layer)
                self.network.same(layer.name, "input")
                self.shapes[layer.name], self.orders[layer.name] = self.shapes["input"], None
            else:
                if "input" not in self.shapes:
                    self._input(layer)
                self._layer(layer, layer.sources or [before], last=layer is self.layers[-1])
            before = layer.name
        # One sigmoid is of two classes, which are numbers where they have no names.
        return self.network.model(classes or (["0", "1"] if self.binary else None))

    def _input(self, layer):
        """The shape of a record, from the first layer's or the weights'."""
        shape = layer.settings.get("batch_shape") or layer.settings.get("batch_input_shape")
        if not shape and layer.kind == "Dense":
            shape = (None, len(self.weights[layer.name][0]))
        if not shape or len(shape) not in (2, 4) or None in shape[1:]:
            raise ConfigError(f"{layer.name}: found no shape of a record, expected (features,) or (height, width, channels)")
        self.shapes["input"], self.orders["input"] = ((shape[1],) if len(shape) == 2 else (shape[3], shape[1], shape[2])), None
        self.network.input = shape[1] if len(shape) == 2 else self.shapes["input"]

    def _layer(self, layer, sources, last):
        operation, parameters, shape = self._operation(layer, [self.shapes[source] for source in sources])
        order = self.orders[sources[0]]
        if any(not _same(self.orders[source], order) for source in sources):
            raise ConfigError(f"{layer.name}: found values in different orders, expected images or rows of one kind")
        name = layer.name
        if operation is None:
            self.network.same(name, *sources)
        else:
            if layer.kind == "Flatten" and len(self.shapes[sources[0]]) == 3:
                channels, height, width = self.shapes[sources[0]]
                order = np.arange(channels * height * width).reshape(height, width, channels).transpose(2, 0, 1).reshape(-1)
            elif order is not None and layer.kind in ("Dense", "BatchNormalization"):
                dense = layer.kind == "Dense"
                parameters = {key: values[:, order] if values.ndim == 2 else values if dense else values[order] for key, values in parameters.items()}
                order = None if dense else order
            self.network.add(name, operation, sources, parameters)
            if layer.kind == "GlobalAveragePooling2D":
                self.network.add(f"{name} flat", "flatten", [name], {})
                self.network.same(name, f"{name} flat")
        self.shapes[name], self.orders[name] = shape, order
        self._activation(layer, last, shape)

    def _activation(self, layer, last, shape):
        """What a layer does to its own outputs, or is nothing else than."""
        kind = {"ReLU": "relu", "Softmax": "softmax"}.get(layer.kind, layer.settings.get("activation") or "linear")
        kind = kind if isinstance(kind, str) else kind.get("class_name", "").lower()
        if kind == "linear":
            return
        self.binary = last and kind == "sigmoid" and shape == (1,)
        if self.binary or last and kind == "softmax":
            return
        if kind not in ACTIVATIONS:
            raise layer.wrong("activation", kind, f"linear, {', '.join(ACTIVATIONS)}, or softmax at the end")
        self.network.add(f"{layer.name} {kind}", ACTIVATIONS[kind], [layer.name], {})
        self.network.same(layer.name, f"{layer.name} {kind}")

    def _operation(self, layer, shapes):
        """A layer as a node of the network has it, its parameters as PyTorch lays them out, and the shape of its output."""
        kind, has, shape = layer.kind, layer.settings, shapes[0]
        weights = [numbers(values) for values in self.weights.get(layer.name, [])]
        if has.get("data_format", "channels_last") != "channels_last":
            raise layer.wrong("data_format", has["data_format"], "channels_last")
        if kind in ("Activation", "Softmax", "ReLU"):
            for what, usual in (("max_value", None), ("threshold", 0), ("negative_slope", 0)):
                if has.get(what) not in (usual, None):
                    raise layer.wrong(what, has[what], usual)
            return None, {}, shape
        if kind == "Dense":
            if len(shape) != 1:
                raise layer.wrong("input", "an image", "a row: Flatten before it")
            return {"linear": {"outputs": has["units"]}}, _weights(weights, (1, 0)), (has["units"],)
        if kind == "Conv2D":
            for what in ("groups", "dilation_rate"):
                if has.get(what, 1) not in (1, (1, 1), [1, 1]):
                    raise layer.wrong(what, has[what], 1)
            window, size = self._window(layer, shape, pair(has["kernel_size"]))
            return {"conv2d": {"filters": has["filters"], **window}}, _weights(weights, (3, 2, 0, 1)), (has["filters"], *size)
        if kind in ("MaxPooling2D", "AveragePooling2D"):
            window, size = self._window(layer, shape, pair(has["pool_size"]))
            if window["padding"] != [0, 0]:
                raise layer.wrong("padding", "same", "valid, or windows that fit")
            return {"maxpool2d" if kind[0] == "M" else "avgpool2d": window}, {}, (shape[0], *size)
        if kind == "GlobalAveragePooling2D":
            return "globalavgpool2d", {}, shape[:1]
        if kind == "BatchNormalization":
            return {"batchnorm": {"momentum": round(1 - has["momentum"], 9), "eps": has["epsilon"]}}, self._statistics(layer, shape, weights), shape
        if kind == "Dropout":
            return {"dropout": {"p": has["rate"]}}, {}, shape
        if kind == "LeakyReLU":
            return {"leakyrelu": {"slope": float(has.get("negative_slope", has.get("alpha", 0.3)))}}, {}, shape
        if kind == "Flatten":
            return "flatten", {}, (int(np.prod(shape)),)
        if kind == "Add":
            return "add", {}, shape
        raise ConfigError(f"{layer.name}: found {kind}, expected a layer of docs/layers.md")

    @staticmethod
    def _window(layer, shape, kernel):
        """A window's settings, and the height and width of what comes of it."""
        stride = pair(layer.settings.get("strides") or kernel)
        padding = [0, 0]
        if layer.settings.get("padding", "valid") == "same":
            sizes = [-(-size // step) for size, step in zip(shape[1:], stride)]
            both = [max((n - 1) * step + k - size, 0) for n, step, k, size in zip(sizes, stride, kernel, shape[1:])]
            if any(n % 2 for n in both):
                raise layer.wrong("padding", "same, which is more on one side", "as much on both sides")
            padding = [n // 2 for n in both]
        size = [(n + 2 * p - k) // step + 1 for n, p, k, step in zip(shape[1:], padding, kernel, stride)]
        return {"kernel": kernel, "stride": stride, "padding": padding}, size

    @staticmethod
    def _statistics(layer, shape, weights):
        axis = layer.settings.get("axis", -1)
        if (axis[0] if isinstance(axis, (list, tuple)) else axis) not in (-1, len(shape)):
            raise layer.wrong("axis", axis, -1)
        weights, one = list(weights), np.ones(shape[0])
        scale = weights.pop(0) if layer.settings.get("scale", True) else one
        centre = weights.pop(0) if layer.settings.get("center", True) else 0 * one
        return dict(zip(("weight", "bias", "running_mean", "running_var"), (scale, centre, *weights)))


class _Layer:
    """A layer as a model's description has it."""

    def __init__(self, described):
        self.kind, self.settings = described["class_name"], described["config"]
        self.name = described.get("name") or self.settings["name"]
        self.sources = list(_histories(described.get("inbound_nodes", [])))
        if len(described.get("inbound_nodes", [])) > 1:
            raise ConfigError(f"{self.name}: found it used several times, expected each layer once")

    def wrong(self, what, found, expected):
        """Of a setting that no network here has."""
        return ConfigError(f"{self.name} ({self.kind}): {what}: found {found}, expected {expected}")


def _histories(described):
    """The names of the layers whose outputs one takes, as either version of Keras writes them."""
    if isinstance(described, dict):
        history = described.get("keras_history") or described.get("config", {}).get("keras_history")
        inner = [[history[0]]] if history else map(_histories, described.values())
        return [name for names in inner for name in names]
    if isinstance(described, (list, tuple)):
        if len(described) >= 3 and isinstance(described[0], str) and isinstance(described[1], int):
            return [described[0]]
        return [name for part in described for name in _histories(part)]
    return []


def _weights(weights, axes):
    """A kernel with its inputs last, and the bias where there is one."""
    return dict(zip(("weight", "bias"), (weights[0].transpose(axes), *weights[1:])))


def _same(one, other):
    return one is other or one is not None and other is not None and np.array_equal(one, other)
