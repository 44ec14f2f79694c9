"""Models from PyTorch, and to there. PyTorch is only looked at by who has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from ._core import Model
from ._network import Network, pair
from .errors import ConfigError

SOFTMAX = ("Softmax", "LogSoftmax")
LAYERS = ("ReLU", "LeakyReLU", "Sigmoid", "Tanh", "Linear", "Conv2d", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Flatten")
LAYERS += ("BatchNorm1d", "BatchNorm2d", "Dropout", "Dropout2d", "Identity", *SOFTMAX)

FLAT = (("start_dim", 1), ("end_dim", -1))

# Functions and methods as the layers that they are, with the settings that they take after their input.
POOL = {"kernel_size": None, "stride": None, "padding": 0}
FUNCTIONS = {
    "relu": ("ReLU", {}),
    "relu_": ("ReLU", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "leaky_relu": ("LeakyReLU", {"negative_slope": 0.01}),
    "dropout": ("Dropout", {"p": 0.5}),
    "flatten": ("Flatten", {"start_dim": 0, "end_dim": -1}),
    "max_pool2d": ("MaxPool2d", {**POOL, "dilation": 1, "ceil_mode": False}),
    "avg_pool2d": ("AvgPool2d", {**POOL, "ceil_mode": False, "count_include_pad": True, "divisor_override": None}),
    "adaptive_avg_pool2d": ("AdaptiveAvgPool2d", {"output_size": None}),
    "softmax": ("Softmax", {}),
    "log_softmax": ("LogSoftmax", {}),
}


def from_torch(module: Any, input: tuple[int, int, int] | int | None = None, classes: list[str] | None = None) -> Model:
    """A model with the layers and the weights of a PyTorch module: an `nn.Sequential`, which may have others in it, or what `torch.fx` can trace.

    `input` is the shape of a record, (channels, height, width) or a number of features; a network that begins with `nn.Linear` says it itself.
    `classes` are the names of the outputs' classes, where they are to have some. Layers: Linear, Conv2d, ReLU, LeakyReLU, Sigmoid, Tanh,
    MaxPool2d, AvgPool2d, AdaptiveAvgPool2d to 1, BatchNorm1d and 2d, Dropout, Flatten, Identity; in a module that is traced their functions as
    well, and sums of outputs. The network ends in logits, or a value: a softmax at its end is left out. The parameters keep PyTorch's names,
    with _ for the points between those of modules.
    """
    layers = _layers(module)
    if layers and layers[-1][2] in SOFTMAX:
        layers.pop()
    network = Network(input)
    for called, name, kind, layer, sources in layers:
        if kind == "Identity":
            network.same(called, *sources)
            continue
        if network.input is None and sources == ["input"] and kind == "Linear":
            network.input = layer.in_features
        parameters = {key: getattr(layer, key, None) for key in ("weight", "bias", "running_mean", "running_var")}
        network.add(called, _operation(name, kind, layer), sources, parameters, name)
    return network.model(classes)


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


def _layers(module):
    """What each layer is called, its name, kind, and settings and weights, and what the outputs that it takes are called."""
    if not hasattr(module, "graph"):
        listed = _sequence(module, "")
        strange = next(((path, layer) for path, layer in listed if _kind(layer) not in LAYERS), None)
        if strange is None:
            before = ["input", *(path for path, _ in listed)]
            return [(path, path, _kind(layer), layer, [source]) for (path, layer), source in zip(listed, before)]
        try:
            from torch import fx
        except ImportError:
            raise _unknown(strange[0], _kind(strange[1])) from None
        try:
            module = fx.symbolic_trace(module)
        except Exception as error:
            raise ConfigError(f"module: found one that torch.fx does not trace ({error}), expected one that it does") from error
    return _traced(module)


def _kind(layer):
    return type(layer).__name__


def _sequence(module, path):
    """The layers of a Sequential with their paths, one after the other."""
    if _kind(module) != "Sequential":
        return [(path, module)]
    children = module.named_children()
    return [found for name, child in children for found in _sequence(child, f"{path}.{name}" if path else name)]


def _traced(module):
    """The same of a `torch.fx.GraphModule`."""
    modules, layers, outputs = dict(module.named_modules()), [], {}

    def source(value):
        if _called(value) not in outputs:
            raise ConfigError(f"module: found {value} as a layer's input, expected the record or a layer's output")
        return outputs[_called(value)]

    for node in module.graph.nodes:
        found, name = None, node.name
        if node.op == "placeholder" and not outputs:
            outputs[node.name] = "input"
        elif node.op == "call_module":
            layer = modules[node.target]
            # Weights go by their module's path; what has none may be called several times.
            name = node.name if getattr(layer, "weight", None) is None else node.target
            found = _kind(layer), layer, node.args
        elif node.op in ("call_function", "call_method"):
            function = node.target if isinstance(node.target, str) else node.target.__name__
            # What takes no output computes with shapes.
            if function not in ("size", "getattr") and any(_called(value) in outputs for value in _each(node.args)):
                found = _function(node, function)
        elif node.op == "output":
            if not layers or outputs.get(_called(node.args[0])) != layers[-1][0]:
                raise ConfigError("module: found several outputs, expected one, of the last layer")
        else:
            raise _unknown(node.name, f"{node.op} {node.target}")
        if found:
            kind, layer, taken = found
            layers.append((node.name, name, kind, layer, [source(value) for value in taken]))
            outputs[node.name] = node.name
    return layers


def _each(values):
    """Values, and those in lists of them."""
    return [inner for value in values for inner in (value if isinstance(value, (list, tuple)) else [value])]


def _called(value):
    """A node's name; None for what is no node."""
    return getattr(value, "name", None)


def _function(node, function):
    """A function's or a method's kind and settings, and what it takes."""
    first, *rest = node.args
    if function in ("add", "add_", "iadd") and len(rest) == 1 and node.kwargs.get("alpha", 1) == 1:
        return "add", SimpleNamespace(), node.args
    if function in ("view", "reshape"):
        shape = rest[0] if len(rest) == 1 and isinstance(rest[0], (tuple, list)) else rest
        # (records, -1), or (-1, features), whose number the next layer knows.
        if len(shape) == 2 and -1 in [size for size in shape if isinstance(size, int)]:
            return "Flatten", SimpleNamespace(), [first]
    if function not in FUNCTIONS:
        raise _unknown(node.name, f"{function}()")
    kind, settings = FUNCTIONS[function]
    return kind, SimpleNamespace(**{**settings, **dict(zip(settings, rest)), **node.kwargs}), [first]


def _unknown(path, found):
    return ConfigError(f"{path or 'module'}: found {found}, expected a layer of docs/layers.md")


def _operation(path, kind, layer):
    """A layer as a node of the network has it."""
    unlike = lambda what, found, expected: ConfigError(f"{path} ({kind}): {what}: found {found}, expected {expected}")  # noqa: E731
    for what, usual in (("dilation", 1), ("groups", 1), ("padding_mode", "zeros"), ("ceil_mode", False), ("track_running_stats", True), *FLAT):
        found = getattr(layer, what, usual)
        if found not in (usual, (usual, usual)):
            raise unlike(what, found, usual)
    if kind in ("ReLU", "Sigmoid", "Tanh", "add"):
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
        window = {"kernel": pair(layer.kernel_size), "stride": pair(layer.stride), "padding": pair(layer.padding)}
        return {"conv2d": {"filters": layer.out_channels, **window}}
    if kind in ("MaxPool2d", "AvgPool2d"):
        if kind == "AvgPool2d" and (not layer.count_include_pad or layer.divisor_override):
            raise unlike("mean", "of some elements of a window", "of all")
        stride = layer.kernel_size if layer.stride is None else layer.stride
        return {kind.lower(): {"kernel": pair(layer.kernel_size), "stride": pair(stride), "padding": pair(layer.padding)}}
    if kind == "AdaptiveAvgPool2d" and layer.output_size in (1, (1, 1)):
        return "globalavgpool2d"
    if kind == "Flatten":
        return "flatten"
    raise _unknown(path, kind)


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
    window = {key: tuple(pair(settings[key])) for key in ("stride", "padding") if settings.get(key) is not None}
    kernel = tuple(pair(settings["kernel"]))
    if kind == "conv2d":
        return nn.Conv2d(weights["weight"].shape[1], weights["weight"].shape[0], kernel, **window)
    return (nn.MaxPool2d if kind == "maxpool2d" else nn.AvgPool2d)(kernel, **window)
