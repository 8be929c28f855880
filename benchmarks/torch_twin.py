"""A PyTorch twin of a network, training one step for each line it reads on standard input.

Run by `supernet_step.py` in a process of its own, so that two thread pools never share one:

    python benchmarks/torch_twin.py --arch "in_s64 ..." --batch_size 64

It prints `ready`, then for every line read the seconds of one training step.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import (
    ConvOp,
    DenseOp,
    DropoutOp,
    Op,
    PoolOp,
    ResidualOp,
    SqueezeExciteOp,
)
from nas.architecture.shapes import same_padding
from nas.architecture.spec import BATCH_NORM_EPSILON, PIXEL_OFFSET, PIXEL_SCALE
from nas.architecture.text import parse

ACTIVATIONS = {"none": nn.Identity, "relu": nn.ReLU, "relu6": nn.ReLU6, "hard_swish": nn.Hardswish}


class SameConv(nn.Module):
    """A convolution that pads like TensorFlow's `same`."""

    def __init__(self, op: ConvOp) -> None:
        super().__init__()
        self.op = op
        groups = op.in_channels if op.depthwise else 1
        symmetric = op.kernel // 2 if op.stride == 1 else 0
        self.conv = nn.Conv2d(
            op.in_channels,
            op.out_channels,
            op.kernel,
            op.stride,
            symmetric,
            groups=groups,
            bias=op.bias,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolves x of shape (batch, channels, height, width)."""
        if self.op.stride > 1:
            top, bottom = same_padding(x.shape[2], self.op.kernel, self.op.stride)
            left, right = same_padding(x.shape[3], self.op.kernel, self.op.stride)
            x = functional.pad(x, (left, right, top, bottom))
        return self.conv(x)


class Add(nn.Module):
    """x + body(x)."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Adds what the body makes of x, of the same shape."""
        return x + self.body(x)


class SqueezeExcite(nn.Module):
    """Scales each channel by hard_sigmoid(W2 relu(W1 mean(x) + b1) + b2)."""

    def __init__(self, op: SqueezeExciteOp) -> None:
        super().__init__()
        self.reduce = nn.Linear(op.in_channels, op.squeeze_channels)
        self.expand = nn.Linear(op.squeeze_channels, op.in_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scales x of shape (batch, channels, height, width)."""
        hidden = functional.relu(self.reduce(x.mean((2, 3))))
        return x * functional.hardsigmoid(self.expand(hidden))[:, :, None, None]


def build(ops: tuple[Op, ...]) -> nn.Sequential:
    """Primitive operations -> a module."""
    parts: list[nn.Module] = []
    for op in ops:
        match op:
            case ConvOp(valid=False):
                parts.append(SameConv(op))
                if op.batch_norm:
                    parts.append(nn.BatchNorm2d(op.out_channels, BATCH_NORM_EPSILON))
                parts.append(ACTIVATIONS[op.activation]())
            case DenseOp(scale=1.0):
                parts.append(nn.Linear(op.in_units, op.out_units, bias=op.bias))
                if op.batch_norm:
                    parts.append(nn.BatchNorm1d(op.out_units, BATCH_NORM_EPSILON))
                parts.append(ACTIVATIONS[op.activation]())
            case SqueezeExciteOp():
                parts.append(SqueezeExcite(op))
            case PoolOp(kind="mean"):
                parts += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            case DropoutOp():
                parts.append(nn.Dropout(op.rate))
            case ResidualOp(shortcut=()):
                parts.append(Add(build(op.body)))
            case _:
                raise TypeError(f"Expected a known operation. Received: {op!r}. Fix: add it here.")
    return nn.Sequential(*parts)


def main() -> None:
    """Builds the twin and trains on request."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--arch", required=True)
    parser.add_argument("--batch_size", type=int, required=True)
    flags = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    network = parse(flags.arch)
    ops = tuple(op for layer in lower_architecture(network) for op in layer.ops)
    model = build(ops).to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    rng = np.random.default_rng(0)
    shape = (flags.batch_size, network.image_size, network.image_size, 3)
    images = rng.uniform(0, 255, shape).astype(np.float32)
    labels = torch.from_numpy(rng.integers(0, network.num_classes, flags.batch_size))

    def step() -> float:
        begun = time.perf_counter()
        x = torch.from_numpy(images).permute(0, 3, 1, 2)  # channels last already
        x = x * PIXEL_SCALE + PIXEL_OFFSET
        loss = functional.cross_entropy(model(x), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return time.perf_counter() - begun

    for _ in range(2):
        step()
    print(f"ready {torch.__version__}", flush=True)
    for _ in sys.stdin:
        print(step(), flush=True)


if __name__ == "__main__":
    main()
