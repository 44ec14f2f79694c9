"""Models from elsewhere, and to there."""

from __future__ import annotations

import json
import re
from os import PathLike
from typing import Any

import numpy as np

from ._core import Model
from .errors import ConfigError


def from_onnx(model: str | PathLike[str] | Any) -> Model:
    """A model from an ONNX file by its name, from a file's bytes, or from a `ModelProto` of the package onnx.

    The operators that are known are in docs/onnx.md.
    """
    if isinstance(model, bytes):
        return Model.from_bytes(model)
    if hasattr(model, "SerializeToString"):
        return Model.from_bytes(model.SerializeToString())
    return Model.load(model)


def from_torch(module: Any, input: tuple[int, int, int] | int | None = None, classes: list[str] | None = None) -> Model:
    """A model with the layers and the weights of a PyTorch `nn.Sequential`, which may have others in it.

    `input` is the shape of a record, (channels, height, width) or a number of features; a network that begins with `nn.Linear` says it itself.
    `classes` are the names of the outputs' classes, where they are to have some. Layers: Linear, Conv2d, ReLU, LeakyReLU, Sigmoid, Tanh,
    MaxPool2d, AvgPool2d, AdaptiveAvgPool2d to 1, BatchNorm1d and 2d, Dropout, Flatten, Identity. The network ends in logits, or a value: a
    softmax at its end is left out. The parameters keep PyTorch's names, with _ for the points between those of modules.
    """
    nodes, parameters = [], {}
    layers = [layer for layer in _layers(module) if _kind(layer[1]) != "Identity"]
    if layers and _kind(layers[-1][1]) in ("Softmax", "LogSoftmax"):
        layers.pop()
    for path, layer in layers:
        name = re.sub("[^A-Za-z0-9]", "_", path) or "layer"
        nodes.append({"op": _operation(path, layer), "name": name})
        for key in ("weight", "bias", "running_mean", "running_var"):
            values = getattr(layer, key, None)
            if values is not None:
                parameters[f"{name}.{key}"] = _numbers(values)
        # A layer of PyTorch's may have no bias.
        if f"{name}.weight" in parameters and f"{name}.bias" not in parameters:
            parameters[f"{name}.bias"] = np.zeros(len(parameters[f"{name}.weight"]))
    if input is None:
        if not layers or _kind(layers[0][1]) != "Linear":
            raise ConfigError("input: found none, expected (channels, height, width), or a number of features")
        input = layers[0][1].in_features
    network = {"input": input if isinstance(input, int) else list(input), "nodes": nodes}
    flat = {name: np.ascontiguousarray(values, dtype=np.float64).reshape(-1) for name, values in parameters.items()}
    return Model.from_parameters(json.dumps(network), flat, classes)


def to_torch(model: Model) -> Any:
    """The network as a PyTorch `nn.Sequential` with its weights: from inputs as `Model.prepare` gives them, of shape (records, inputs), or
    images of shape (records, channels, height, width), to logits or a value. It needs PyTorch."""
    import torch
    from torch import nn

    network, state = model.graph, {name: torch.from_numpy(values.copy()) for name, values in model.state_dict().items()}
    sequential, image, before = nn.Sequential(), isinstance(network["input"], list), "input"
    for node in network["nodes"]:
        kind, settings = next(iter(node["op"].items())) if isinstance(node["op"], dict) else (node["op"], {})
        if kind == "add" or node.get("from", before) != before:
            raise ConfigError(f"network: found {kind} with inputs of its own, expected one layer after the other")
        name = before = node["name"]
        weights = {key.split(".")[1]: values for key, values in state.items() if key.split(".")[0] == name}
        if kind == "linear" and image:
            sequential.add_module(f"{name}_flatten", nn.Flatten())
        layer = _module(nn, kind, {**settings, "image": image}, weights)
        image = image and kind not in ("linear", "flatten", "globalavgpool2d")
        if weights:
            layer.load_state_dict(weights, strict=False)
        sequential.add_module(name, layer)
        if kind == "globalavgpool2d":
            sequential.add_module(f"{name}_flatten", nn.Flatten())
    return sequential.eval()


def _kind(layer):
    return type(layer).__name__


def _layers(module, path=""):
    """The layers of a Sequential with their paths, one after the other."""
    if _kind(module) != "Sequential":
        return [(path, module)]
    children = module.named_children()
    return [found for name, child in children for found in _layers(child, f"{path}.{name}" if path else name)]


def _numbers(values):
    """A tensor's values, wherever it is."""
    for step in ("detach", "cpu", "numpy"):
        values = getattr(values, step)() if hasattr(values, step) else values
    return np.asarray(values, dtype=np.float64)


def _pair(value):
    return [value, value] if isinstance(value, int) else list(value)


def _operation(path, layer):
    """A layer as a node of the network has it."""
    kind = _kind(layer)
    unlike = lambda what, found, expected: ConfigError(f"{path} ({kind}): {what}: found {found}, expected {expected}")  # noqa: E731
    for what, usual in (("dilation", 1), ("groups", 1), ("padding_mode", "zeros"), ("ceil_mode", False), ("track_running_stats", True)):
        found = getattr(layer, what, usual)
        if found not in (usual, (usual, usual)):
            raise unlike(what, found, usual)
    if kind in ("ReLU", "Sigmoid", "Tanh"):
        return kind.lower()
    if kind == "Linear":
        return {"linear": {"outputs": layer.out_features}}
    if kind == "LeakyReLU":
        return {"leakyrelu": {"slope": layer.negative_slope}}
    if kind in ("Dropout", "Dropout2d"):
        return {"dropout": {"p": layer.p}}
    if kind in ("BatchNorm1d", "BatchNorm2d"):
        return {"batchnorm": {"momentum": layer.momentum, "eps": layer.eps}}
    if kind == "Conv2d":
        if isinstance(layer.padding, str):
            raise unlike("padding", layer.padding, "numbers")
        window = {"kernel": _pair(layer.kernel_size), "stride": _pair(layer.stride), "padding": _pair(layer.padding)}
        return {"conv2d": {"filters": layer.out_channels, **window}}
    if kind in ("MaxPool2d", "AvgPool2d"):
        if kind == "AvgPool2d" and (not layer.count_include_pad or layer.divisor_override):
            raise unlike("mean", "of some elements of a window", "of all")
        stride = layer.kernel_size if layer.stride is None else layer.stride
        return {kind.lower(): {"kernel": _pair(layer.kernel_size), "stride": _pair(stride), "padding": _pair(layer.padding)}}
    if kind == "AdaptiveAvgPool2d" and layer.output_size in (1, (1, 1)):
        return "globalavgpool2d"
    if kind == "Flatten":
        return "flatten"
    raise ConfigError(f"{path or 'module'}: found {kind}, expected a layer of docs/layers.md in nn.Sequential")


def _module(nn, kind, settings, weights):
    """A node of the network as PyTorch's layer."""
    if kind in ("relu", "sigmoid", "tanh", "flatten"):
        return getattr(nn, {"relu": "ReLU", "sigmoid": "Sigmoid", "tanh": "Tanh", "flatten": "Flatten"}[kind])()
    if kind == "linear":
        return nn.Linear(weights["weight"].shape[1], weights["weight"].shape[0])
    if kind == "leakyrelu":
        return nn.LeakyReLU(settings["slope"])
    if kind == "dropout":
        return nn.Dropout(settings["p"])
    if kind == "batchnorm":
        of = nn.BatchNorm2d if settings.get("image") else nn.BatchNorm1d
        return of(weights["weight"].shape[0], eps=settings["eps"], momentum=settings["momentum"])
    if kind == "globalavgpool2d":
        return nn.AdaptiveAvgPool2d(1)
    window = {key: tuple(_pair(settings[key])) for key in ("stride", "padding") if settings.get(key) is not None}
    kernel = tuple(_pair(settings["kernel"]))
    if kind == "conv2d":
        return nn.Conv2d(weights["weight"].shape[1], weights["weight"].shape[0], kernel, **window)
    return (nn.MaxPool2d if kind == "maxpool2d" else nn.AvgPool2d)(kernel, **window)
