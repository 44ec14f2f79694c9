"""To and from PyTorch, which is imitated here: modules with the attributes, the names and the arithmetic of PyTorch's. Where there is PyTorch
itself, it is asked too."""

import sys
import types

import numpy as np
import pytest

import trefoil
from trefoil import TrefoilClassifier, from_torch

random = np.random.RandomState(11)


class Tensor(np.ndarray):
    """What a tensor has that an array lacks."""

    detach = cpu = lambda self: self

    def numpy(self):
        return np.asarray(self)


def tensor(values):
    return np.asarray(values, dtype=np.float32).view(Tensor)


class Module:
    def eval(self):
        return self

    def load_state_dict(self, state, strict=True):
        for name, values in state.items():
            assert getattr(self, name).shape == values.shape, name
            setattr(self, name, values)


class Sequential(Module):
    def __init__(self, *modules):
        self.modules = [(str(i), module) for i, module in enumerate(modules)]

    def add_module(self, name, module):
        self.modules.append((name, module))

    def named_children(self):
        return self.modules

    def __call__(self, x):
        for _, module in self.modules:
            x = module(x)
        return x


class Linear(Module):
    def __init__(self, in_features, out_features, bias=True):
        self.in_features, self.out_features = in_features, out_features
        self.weight = tensor(random.normal(size=(out_features, in_features)) / in_features**0.5)
        self.bias = tensor(random.normal(size=out_features)) if bias else None

    def __call__(self, x):
        return x @ self.weight.T + (0 if self.bias is None else self.bias)


class ReLU(Module):
    __call__ = lambda self, x: np.maximum(x, 0)  # noqa: E731


class Tanh(Module):
    __call__ = lambda self, x: np.tanh(x)  # noqa: E731


class LeakyReLU(Module):
    def __init__(self, negative_slope=0.01):
        self.negative_slope = negative_slope

    def __call__(self, x):
        return np.where(x > 0, x, self.negative_slope * x)


class Dropout(Module):
    def __init__(self, p=0.5):
        self.p = p

    __call__ = lambda self, x: x  # noqa: E731


class Flatten(Module):
    __call__ = lambda self, x: x.reshape(len(x), -1)  # noqa: E731


class Softmax(Module):
    __call__ = lambda self, x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)  # noqa: E731


class BatchNorm1d(Module):
    def __init__(self, num_features, eps=1e-5, momentum=0.1):
        self.eps, self.momentum = eps, momentum
        self.weight, self.bias = tensor(random.uniform(0.5, 2, num_features)), tensor(random.normal(size=num_features))
        self.running_mean, self.running_var = tensor(random.normal(size=num_features)), tensor(random.uniform(0.5, 2, num_features))

    def __call__(self, x):
        return (x - self.running_mean) / np.sqrt(self.running_var + self.eps) * self.weight + self.bias


class Conv2d(Module):
    padding_mode = "zeros"

    def __init__(self, in_channels, out_channels, kernel_size, stride=(1, 1), padding=(0, 0)):
        self.out_channels, self.kernel_size, self.stride, self.padding = out_channels, kernel_size, stride, padding
        self.dilation, self.groups = (1, 1), 1
        self.weight = tensor(random.normal(size=(out_channels, in_channels, *kernel_size)) / 3)
        self.bias = tensor(random.normal(size=out_channels))

    def __call__(self, x):
        (top, left), (down, right), (height, width) = self.padding, self.stride, self.kernel_size
        x = np.pad(x, [(0, 0), (0, 0), (top, top), (left, left)])
        windows = np.lib.stride_tricks.sliding_window_view(x, (height, width), axis=(2, 3))[:, :, ::down, ::right]
        return np.einsum("ncijhw,fchw->nfij", windows, self.weight) + self.bias[:, None, None]


class MaxPool2d(Module):
    padding, dilation, ceil_mode = 0, 1, False

    def __init__(self, kernel_size, stride=None, padding=0):
        self.kernel_size, self.stride = kernel_size, stride

    def __call__(self, x):
        size = self.kernel_size if isinstance(self.kernel_size, int) else self.kernel_size[0]
        n, c, h, w = x.shape
        return x.reshape(n, c, h // size, size, w // size, size).max(axis=(3, 5))


def imitation():
    """`torch` and `torch.nn` of the above."""
    torch, nn = types.ModuleType("torch"), types.ModuleType("torch.nn")
    for kind in (Sequential, Linear, ReLU, Tanh, LeakyReLU, Dropout, Flatten, BatchNorm1d, Conv2d, MaxPool2d):
        setattr(nn, kind.__name__, kind)
    torch.nn, torch.from_numpy = nn, tensor
    return torch, nn


NETWORKS = {
    "perceptron": (Sequential(Linear(6, 8), ReLU(), Linear(8, 5, bias=False), LeakyReLU(0.125), Dropout(0.25), Linear(5, 3)), None, 6),
    "nested": (Sequential(Sequential(Linear(6, 8), BatchNorm1d(8, eps=0.1), Tanh()), Linear(8, 2)), None, 6),
    "image": (
        Sequential(Conv2d(2, 3, (3, 3), padding=(1, 1)), ReLU(), MaxPool2d(2), Conv2d(3, 4, (2, 2), stride=(2, 1)), Flatten(), Linear(16, 2)),
        (2, 8, 6),
        96,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_there_and_back(name, monkeypatch):
    network, shape, inputs = NETWORKS[name]
    model = from_torch(network, shape)
    x = random.normal(size=(20, inputs))
    as_it_wants = x if shape is None else x.reshape(20, *shape)
    z = network(as_it_wants)
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert np.allclose(model.answers(x), expected, atol=1e-5)
    torch, nn = imitation()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.nn", nn)
    assert np.allclose(model.to_torch()(as_it_wants), z, atol=1e-5)


class Node:
    """As `torch.fx` has it."""

    def __init__(self, op, name, target=None, args=(), **kwargs):
        self.op, self.name, self.target, self.args, self.kwargs = op, name, target, args, kwargs


def traced(modules, *nodes):
    """A `GraphModule`."""
    graph = types.SimpleNamespace(nodes=nodes)
    return types.SimpleNamespace(graph=graph, named_modules=modules.items)


def function(name):
    made = lambda *_: None  # noqa: E731
    made.__name__ = name
    return made


def residual():
    """Convolutions with one around them, pooling and a linear layer, written as functions and methods; and its arithmetic."""
    modules = {"stem.conv": Conv2d(1, 3, (3, 3), padding=(1, 1)), "conv": Conv2d(3, 3, (1, 1)), "fc": Linear(12, 2)}
    x, stem = Node("placeholder", "x"), Node("call_module", "stem_conv", "stem.conv")
    stem.args = (x,)
    relu = Node("call_function", "relu", function("relu"), (stem,), inplace=False)
    conv = Node("call_module", "conv", "conv", (relu,))
    both = Node("call_function", "add", function("iadd"), (conv, relu))
    pool = Node("call_function", "max_pool2d", function("max_pool2d"), (both, 2), stride=None)
    size = Node("call_method", "size", "size", (pool, 0))
    flat = Node("call_method", "view", "view", (pool, size, -1))
    leaky = Node("call_function", "leaky_relu", function("leaky_relu"), (flat, 0.25))
    fc = Node("call_module", "fc", "fc", (leaky,))
    end = Node("call_function", "log_softmax", function("log_softmax"), (fc,), dim=1)
    nodes = [x, stem, relu, conv, both, pool, size, flat, leaky, fc, end, Node("output", "output", "output", (end,))]

    def forward(images):
        inner = np.maximum(modules["stem.conv"](images), 0)
        pooled = MaxPool2d(2)(modules["conv"](inner) + inner).reshape(len(images), -1)
        return modules["fc"](np.where(pooled > 0, pooled, 0.25 * pooled))

    return modules, nodes, forward


def test_what_is_traced(monkeypatch):
    modules, nodes, forward = residual()
    model = from_torch(traced(modules, *nodes), (1, 4, 4))
    images = random.normal(size=(20, 1, 4, 4))
    z = forward(images)
    assert np.allclose(model.answers(images.reshape(20, 16)), np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), atol=1e-5)
    assert "stem_conv.weight" in model.state_dict()
    torch, nn = imitation()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.nn", nn)
    with pytest.raises(trefoil.ConfigError, match="one layer after the other"):
        model.to_torch()


def test_what_is_traced_and_no_network_here():
    modules, nodes, _ = residual()
    x, stem = nodes[:2]

    def refused(why, *after):
        with pytest.raises(trefoil.ConfigError, match=why):
            from_torch(traced(modules, x, stem, *after), (1, 4, 4))

    out = Node("output", "output", "output", (stem,))
    refused(r"cat: found cat\(\), expected a layer", Node("call_function", "cat", function("cat"), ([stem, stem], 1)), out)
    refused(r"mul: found mul\(\), expected a layer", Node("call_function", "mul", function("mul"), (stem, stem)), out)
    flat = Node("call_function", "flatten", function("flatten"), (stem,))
    refused(r"start_dim: found 0, expected 1", flat, Node("output", "output", "output", (flat,)))
    refused(r"found get_attr weights", Node("get_attr", "weights", "weights"), out)
    refused(r"y: found placeholder y", Node("placeholder", "y", "y"), out)
    refused(r"add: found add\(\)", Node("call_function", "add", function("add"), (stem, stem), alpha=2), out)
    refused(r"found 3 as a layer's input", Node("call_function", "add", function("add"), (stem, 3)), out)
    refused("several outputs", Node("call_method", "relu", "relu", (stem,)), out)
    refused("a second time", Node("call_module", "again", "stem.conv", (stem,)))


def test_with_pytorch_itself():
    torch = pytest.importorskip("torch")
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv, self.bn = nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)

        def forward(self, x):
            y = self.bn(self.conv(x))
            y += x
            return torch.relu(y)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), Block(4)
            self.hidden, self.relu, self.out = nn.Linear(36, 5), nn.ReLU(inplace=True), nn.Linear(5, 3)

        def forward(self, x):
            x = functional.max_pool2d(self.block(self.stem(x)), 2)
            x = functional.dropout(functional.leaky_relu(x, 0.1), 0.2, self.training)
            x = functional.avg_pool2d(x, 1).view(x.size(0), -1)
            return functional.log_softmax(self.out(self.relu(torch.tanh(self.hidden(x)))), dim=1)

    class Joined(nn.Module):
        def forward(self, x):
            return torch.cat([x, x], 1)

    net = Net()
    net.block.bn.running_mean.normal_()
    net.eval()
    images = torch.randn(20, 1, 8, 8)
    expected = net(images).exp().detach().numpy()
    assert np.allclose(from_torch(net, (1, 8, 8)).answers(images.reshape(20, -1).numpy()), expected, atol=1e-5)
    # What is one layer after the other goes there and back.
    chain = nn.Sequential(net.stem, nn.MaxPool2d(2), nn.Flatten(), net.hidden, nn.Sigmoid(), nn.BatchNorm1d(5), net.out).eval()
    model = from_torch(chain, (1, 8, 8))
    assert np.allclose(model.to_torch()(images).detach().numpy(), chain(images).detach().numpy(), atol=1e-5)
    with pytest.raises(trefoil.ConfigError, match="cat: found"):
        from_torch(Joined(), 4)


def test_names_are_those_of_pytorch():
    model = from_torch(NETWORKS["nested"][0], classes=["no", "yes"])
    assert list(model.state_dict())[:2] == ["0_0.weight", "0_0.bias"] and "1.weight" in model.state_dict()
    assert model.classes == ["no", "yes"]
    # A softmax at the end is what `answers` does.
    ended = from_torch(Sequential(Linear(3, 2), Softmax()))
    assert ended.answers(np.zeros((1, 3))).sum() == pytest.approx(1)


def test_a_trained_model_goes_to_pytorch(monkeypatch):
    torch, nn = imitation()
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.nn", nn)
    x = random.normal(size=(50, 3)) * 10 + 5
    model = TrefoilClassifier(hidden=(4,), epochs=2).fit(x, x[:, 0] > 5).model_
    z = model.to_torch()(model.prepare(x))
    assert np.allclose(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True), model.answers(x), atol=1e-5)


def test_what_is_no_network_here(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)

    class LSTM(Module):
        pass

    with pytest.raises(trefoil.ConfigError, match=r"1: found LSTM, expected a layer of docs/layers.md"):
        from_torch(Sequential(Linear(3, 3), LSTM()))
    with pytest.raises(trefoil.ConfigError, match="input: found none"):
        from_torch(NETWORKS["image"][0])
    grouped = Conv2d(2, 2, (1, 1))
    grouped.groups = 2
    with pytest.raises(trefoil.ConfigError, match="groups: found 2, expected 1"):
        from_torch(Sequential(grouped), (2, 1, 1))
    with pytest.raises(trefoil.ConfigError, match="0.weight"):
        from_torch(Sequential(Linear(3, 2)), 4)
