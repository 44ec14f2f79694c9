"""Writes layers.json: layers with their gradients as PyTorch computes them, in double precision.

    pip install torch && python layers.py
"""

import json
import pathlib

import torch
from torch import nn

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


def exact(*shape, scale=1.0):
    """Numbers that 10 fraction bits hold."""
    return (torch.randn(*shape) * scale * 1024).round() / 1024


def flat(x):
    return [round(v, 9) for v in x.detach().reshape(-1).tolist()]


def case(op, module, shape, rows=3, scale=1.0, evaluate=False):
    for name, p in list(module.named_parameters()) + [b for b in module.named_buffers() if b[1].dtype == torch.float64]:
        with torch.no_grad():
            p.copy_(exact(*p.shape, scale=0.5) + (1.0 if "weight" in name and p.dim() == 1 else 0.0))
            if "var" in name:
                p.copy_(p.abs() + 0.125)
    state = lambda: [flat(p) for n, p in module.state_dict().items() if "num_batches" not in n]
    module.train(not evaluate)
    x = exact(rows, *shape, scale=scale).requires_grad_()
    params = state()
    y = module(x)
    d = exact(*y.shape, scale=0.5)
    (y * d).sum().backward()
    out = {"op": op, "evaluate": evaluate, "input": list(shape) if len(shape) == 3 else shape[0], "x": flat(x), "params": params,
           "y": flat(y), "d": flat(d), "dx": flat(x.grad), "gradients": [flat(p.grad) for p in module.parameters()],
           "next": [flat(p) for n, p in module.state_dict().items() if "running" in n]}
    return out


cases = []
for slope in [0.01, 0.25, 0.0]:
    cases.append(case({"leakyrelu": {"slope": slope}}, nn.LeakyReLU(slope), (12,), scale=4.0))
cases.append(case("sigmoid", nn.Sigmoid(), (2, 3, 4), scale=5.0))
cases.append(case("sigmoid", nn.Sigmoid(), (9,), scale=20.0))
cases.append(case("tanh", nn.Tanh(), (2, 3, 4), scale=2.0))
cases.append(case("tanh", nn.Tanh(), (9,), scale=12.0))
cases.append(case("globalavgpool2d", nn.AdaptiveAvgPool2d(1), (3, 4, 4), scale=4.0))
cases.append(case("globalavgpool2d", nn.AdaptiveAvgPool2d(1), (2, 5, 3), scale=4.0))
for evaluate in [False, True]:
    default = {"batchnorm": {}}
    cases.append(case(default, nn.BatchNorm1d(5), (5,), rows=16, evaluate=evaluate))
    cases.append(case(default, nn.BatchNorm1d(4), (4,), rows=11, scale=0.01, evaluate=evaluate))
    cases.append(case(default, nn.BatchNorm2d(3), (3, 4, 3), scale=2.0, evaluate=evaluate))
    cases.append(case({"batchnorm": {"momentum": 0.3, "eps": 0.01}}, nn.BatchNorm2d(2, eps=0.01, momentum=0.3), (2, 4, 4), rows=4,
                      evaluate=evaluate))
for kernel, stride, padding in [((3, 2), (2, 1), (1, 0)), ((2, 3), (3, 2), (0, 2)), ((5, 5), (1, 1), (2, 2)), ((1, 1), (2, 2), (0, 0))]:
    window = {"kernel": list(kernel), "stride": list(stride), "padding": list(padding)}
    cases.append(case({"conv2d": {"filters": 2, **window}}, nn.Conv2d(2, 2, kernel, stride, padding), (2, 7, 6), rows=2))
for kernel, stride, padding in [((3, 2), (2, 1), (1, 0)), ((2, 3), (3, 2), (0, 1)), ((3, 3), (1, 1), (1, 1)), ((2, 2), (3, 3), (1, 1))]:
    window = {"kernel": list(kernel), "stride": list(stride), "padding": list(padding)}
    cases.append(case({"maxpool2d": window}, nn.MaxPool2d(kernel, stride, padding), (2, 7, 6), rows=2))
    cases.append(case({"avgpool2d": window}, nn.AvgPool2d(kernel, stride, padding), (2, 7, 6), rows=2))

lines = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
pathlib.Path(__file__).with_name("layers.json").write_text(f"[\n{lines}\n]\n")
