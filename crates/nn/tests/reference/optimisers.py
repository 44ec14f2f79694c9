"""Writes optimisers.json: parameters after trainings by PyTorch's optimisers, in double precision; of Adam and AMSGrad also with eps^2 under the
root, as they are here, which a gradient as small as eps tells apart.

    pip install torch && python optimisers.py
"""

import json
import pathlib

import torch
from torch import nn

torch.manual_seed(3)
torch.set_default_dtype(torch.float64)

# As the ring holds them: powers of two, and betas of 16 fraction bits.
RATE, MOMENTUM, BETAS, EPS = 2.0**-5, 0.75, (58982 / 65536, 65470 / 65536), 2.0**-14
STEPS, ROWS = 24, 8


def exact(*shape, scale=1.0):
    """Numbers that 8 fraction bits hold."""
    return (torch.randn(*shape) * scale * 256).round() / 256


def flat(x):
    return [round(v, 9) for v in x.detach().reshape(-1).tolist()]


X = exact(ROWS, 6).clamp(-3, 3)
Y = exact(ROWS, 1).clamp(-3, 3)
START = [exact(5, 6, scale=0.5), torch.zeros(5), exact(1, 5, scale=0.5), torch.zeros(1)]


class UnderRoot:
    """Adam with sqrt(v + eps^2) in place of sqrt(v) + eps."""

    def __init__(self, params, weight_decay=0.0, amsgrad=False):
        self.params, self.decay, self.amsgrad, self.t = list(params), weight_decay, amsgrad, 0
        self.m, self.v, self.largest = ([torch.zeros_like(p) for p in self.params] for _ in range(3))

    def zero_grad(self):
        for p in self.params:
            p.grad = None

    @torch.no_grad()
    def step(self):
        self.t += 1
        b1, b2 = BETAS
        for p, m, v, largest in zip(self.params, self.m, self.v, self.largest):
            m.mul_(b1).add_((1 - b1) * p.grad)
            v.mul_(b2).add_((1 - b2) * p.grad**2)
            largest.copy_(torch.maximum(largest, v))
            squares = (largest if self.amsgrad else v) / (1 - b2**self.t)
            p.sub_(RATE * (m / (1 - b1**self.t) / (squares + EPS**2).sqrt() + self.decay * p))


def train(optimiser, clip):
    net = nn.Sequential(nn.Linear(6, 5), nn.Sigmoid(), nn.Linear(5, 1))
    for p, start in zip(net.parameters(), START):
        p.data.copy_(start)
    optimiser = optimiser(net.parameters())
    for _ in range(STEPS):
        optimiser.zero_grad()
        (0.5 * (net(X) - Y) ** 2).mean().backward()
        if clip:
            nn.utils.clip_grad_value_(net.parameters(), clip)
        optimiser.step()
    return [flat(p) for p in net.parameters()]


def case(settings, optimiser, clip=None):
    settings = {"lr": RATE, "lr_schedule": "constant", "momentum": MOMENTUM, "epochs": STEPS, "batch": ROWS} | settings
    if clip:
        settings["clip"] = clip
    out = {"settings": settings, "end": train(optimiser, clip)}
    if "epsilon" in settings:
        more = {"weight_decay": settings.get("weight_decay", 0.0), "amsgrad": settings["optimiser"] == "amsgrad"}
        out["under_root"] = train(lambda p: UnderRoot(p, **more), clip)
    return out


def sgd(**more):
    return lambda p: torch.optim.SGD(p, lr=RATE, momentum=MOMENTUM, **more)


def adam(kind=torch.optim.Adam, **more):
    return lambda p: kind(p, lr=RATE, betas=BETAS, eps=EPS, **more)


of_adam = {"optimiser": "adam", "beta1": BETAS[0], "beta2": BETAS[1], "epsilon": EPS}
amsgrad = of_adam | {"optimiser": "amsgrad"}
decay = {"weight_decay": 0.0625}
cases = [
    case({}, sgd()),
    case(decay, sgd(**decay)),
    case(decay, sgd(**decay), clip=0.0625),
    case({"momentum": 0.0}, lambda p: torch.optim.SGD(p, lr=RATE), clip=0.125),
    case({"optimiser": "nesterov"}, sgd(nesterov=True)),
    case({"optimiser": "nesterov"} | decay, sgd(nesterov=True, **decay), clip=0.125),
    case(of_adam, adam()),
    case(of_adam | decay, adam(torch.optim.AdamW, **decay)),
    case(of_adam, adam(), clip=0.125),
    case(amsgrad, adam(amsgrad=True)),
    case(amsgrad | decay, adam(torch.optim.AdamW, amsgrad=True, **decay)),
]
out = {"x": [flat(r) for r in X], "y": [flat(r) for r in Y], "start": [flat(p) for p in START], "cases": cases}
pathlib.Path(__file__).with_name("optimisers.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")
