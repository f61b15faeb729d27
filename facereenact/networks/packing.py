"""Weights laid out as a CPU multiplies them, for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from facereenact.networks.feed_forward import FeedForward
from facereenact.networks.memory import release_memory

# oneDNN's products as torch.compile calls them on a CPU. Without it, torch reorders the weights in every call, which
# takes longer than the product where a picture is small, and writes biases and activations in passes of their own.
OPERATORS = ("_linear_pointwise", "_convolution_pointwise", "_reorder_linear_weight", "_reorder_convolution_weight")
RELEASED_BYTES = 1 << 28  # of plain weights, after which their memory is given back


def pack(network: nn.Module) -> None:
    """Lay out the weights of a network on a CPU once for all. It computes the same, and faster.

    It can then no longer be trained, moved or saved. Nothing changes where torch or the network cannot do it: on
    another device, in another type (bfloat16 is one on a processor without AVX-512), or in a build of torch without
    oneDNN.
    """
    parameters = list(network.parameters())
    is_packable = _has_operators() and all(each.device.type == "cpu" and each.dtype in _types() for each in parameters)
    del parameters  # each is freed as soon as it is packed
    if not is_packable:
        return
    replaced_bytes = 0
    for kind, packed in PACKED:
        for name in [name for name, module in network.named_modules() if isinstance(module, kind)]:
            plain = network.get_submodule(name)
            replaced_bytes += sum(each.nbytes for each in plain.parameters())
            network.set_submodule(name, packed(plain))
            del plain
            if replaced_bytes > RELEASED_BYTES:  # what is freed lies between what is kept, where nothing large fits
                release_memory()
                replaced_bytes = 0


def _has_operators() -> bool:
    return torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call]
        hasattr(torch.ops.mkldnn, name) for name in OPERATORS
    )


def _types() -> tuple[torch.dtype, ...]:
    """Those that oneDNN multiplies on this processor."""
    has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return (torch.float32, torch.bfloat16) if has_bfloat16 else (torch.float32,)


class PackedLinear(nn.Module):
    """A linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = _pack_linear(layer.weight), _detach(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return _linear(tokens, self.weight, self.bias, "none")


class PackedFeedForward(nn.Module):
    """A feed-forward layer whose activation and gating happen while the products are written."""

    def __init__(self, layer: FeedForward) -> None:
        super().__init__()
        values, gates = layer.net[0].proj.weight.chunk(2)
        self.value, self.gate, self.out = _pack_linear(values), _pack_linear(gates), _pack_linear(layer.net[2].weight)
        self.value_bias, self.gate_bias = layer.net[0].proj.bias.detach().chunk(2)
        self.out_bias = _detach(layer.net[2].bias)

    def forward(self, tokens: Tensor) -> Tensor:
        gate = _linear(tokens, self.gate, self.gate_bias, "gelu")
        product = torch.ops.mkldnn._linear_pointwise.binary(tokens, gate, self.value, self.value_bias, "mul")
        return _linear(product, self.out, self.out_bias, "none")


class PackedConv2d(nn.Module):
    """A convolution."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        self.geometry = (layer.padding, layer.stride, layer.dilation, layer.groups)
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(layer.weight.detach(), *self.geometry)
        self.bias = _detach(layer.bias)

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = torch.ops.mkldnn._convolution_pointwise(
            maps, self.weight, self.bias, *self.geometry, "none", [], ""
        )
        return out


def _pack_linear(weight: Tensor) -> Tensor:
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())
    return packed


def _linear(tokens: Tensor, weight: Tensor, bias: Tensor | None, activation: str) -> Tensor:
    out: Tensor = torch.ops.mkldnn._linear_pointwise(tokens, weight, bias, activation, [], "none")
    return out


def _detach(bias: Tensor | None) -> Tensor | None:
    return None if bias is None else bias.detach()


# In this order: a feed-forward layer takes its linear layers with it.
PACKED: tuple[tuple[type[nn.Module], Callable[[Any], nn.Module]], ...] = (
    (FeedForward, PackedFeedForward),
    (nn.Linear, PackedLinear),
    (nn.Conv2d, PackedConv2d),
)
