"""Faster graphs for OpenSeeFace's networks, rewritten in memory; the files stay as they were published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

HARD_SWISH_OPSET = 14  # the first with the operator
HEADS = 3  # heat, row offset, column offset


def fuse_hard_swish(model: onnx.ModelProto) -> int:
    """Replace every chain Add 3, Clip 0..6, Div 6 by HardSigmoid, and with a Mul by its own input by HardSwish.

    Returns:
        How many chains there were. The results differ by rounding only, about 1e-6.
    """
    nodes = model.graph.node
    users = _users(model)
    replaced: dict[int, onnx.NodeProto | None] = {}
    count = 0
    for add in nodes:
        chain = _hard_sigmoid_chain(model, add, users)
        if chain is None:
            continue
        value, clip, divide = chain
        replaced.update({id(add): None, id(clip): None})
        gates = users.get(divide.output[0], [])
        if len(gates) == 1 and gates[0].op_type == "Mul" and value in gates[0].input:
            replaced[id(divide)] = None
            replaced[id(gates[0])] = helper.make_node("HardSwish", [value], list(gates[0].output))
        else:
            replaced[id(divide)] = helper.make_node("HardSigmoid", [value], list(divide.output), alpha=1 / 6, beta=0.5)
        count += 1
    if not count:
        return 0
    kept = [replaced.get(id(node), node) for node in nodes]
    _replace_nodes(model, [node for node in kept if node is not None])
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = max(entry.version, HARD_SWISH_OPSET)
    return count


def fix_batch(model: onnx.ModelProto, count: int) -> None:
    """State the size of the batch, so that the runtime folds what computes shapes and keeps one layout."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
    del model.graph.value_info[:]


@dataclass(frozen=True, eq=False)
class OffsetHead:
    """The last two layers of the offset heads, cut off a landmark network."""

    filters: NDArray[np.float32]  # (2 points, 9, k), 3x3 depthwise, k filters a channel
    filter_biases: NDArray[np.float32]  # (2 points, 1, k)
    weights: NDArray[np.float32]  # (2, points, points * k) head, channel, point and filter; rows, then columns
    biases: NDArray[np.float32]  # (2, points)


def split_heads(model: onnx.ModelProto) -> OffsetHead:
    """Cut the last two layers off the offset heads of a landmark network.

    The network ends in a 1x1, a 3x3 depthwise and a grouped 1x1 convolution, each clipped to 0..6, over the channels of
    three heads: heat, row offset and column offset. Offsets are wanted in one cell a point, so `regression` computes
    their last two layers there alone. The outputs become `heat` (1, points, cells, cells) and `features`
    (1, 2 points, cells, cells).

    Raises:
        ValueError: the network does not end as described.
    """
    graph = model.graph
    last = _convolution(model, graph.output[0].name)
    depthwise = _convolution(model, last.input[0])
    mixing = _convolution(model, depthwise.input[0])
    weights, biases = _weights(model, last)
    filters, filter_biases = _weights(model, depthwise)
    points = len(weights) // HEADS
    count = len(filters) // (HEADS * points)
    if filters.shape[1:] != (1, 3, 3) or weights.shape[1:] != (points * count, 1, 1) or len(weights) % HEADS:
        raise ValueError(f"ends in convolutions of {filters.shape} and {weights.shape}")
    if any(_attributes(node).get("activation_params") != [0.0, 6.0] for node in (last, depthwise)):
        raise ValueError("ends in layers without a clip")
    new = [
        _part(model, mixing, slice(0, points), mixing.input[0], "heat_mixed", group=1),
        _part(model, depthwise, slice(0, points * count), "heat_mixed", "heat_filtered", group=points),
        _part(model, last, slice(0, points), "heat_filtered", "heat", group=1),
        _part(model, mixing, slice(points, None), mixing.input[0], "features", group=1),
    ]
    old = {id(last), id(depthwise), id(mixing)}
    _replace_nodes(model, [node for node in graph.node if id(node) not in old] + new)
    del graph.output[:]
    for name, channels in (("heat", points), ("features", 2 * points)):
        shape: list[int | str | None] = [1, channels, None, None]
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    return OffsetHead(
        filters=np.ascontiguousarray(filters[points * count :].reshape(-1, count, 9).transpose(0, 2, 1)),
        filter_biases=filter_biases[points * count :].reshape(-1, 1, count),
        weights=np.ascontiguousarray(
            weights[points:].reshape(HEADS - 1, points, points, count).transpose(0, 2, 1, 3)
        ).reshape(HEADS - 1, points, points * count),
        biases=biases[points:].reshape(HEADS - 1, points),
    )


def _hard_sigmoid_chain(
    model: onnx.ModelProto, add: onnx.NodeProto, users: dict[str, list[onnx.NodeProto]]
) -> tuple[str, onnx.NodeProto, onnx.NodeProto] | None:
    """The value gated, the Clip and the Div that follow an Add of 3; None where the chain is another."""
    if add.op_type != "Add" or _constant(model, add.input[1]) != 3:
        return None
    after = users.get(add.output[0], [])
    if len(after) != 1 or after[0].op_type != "Clip":
        return None
    clip = after[0]
    limits = [_constant(model, name) for name in clip.input[1:]]
    after = users.get(clip.output[0], [])
    if limits != [0, 6] or len(after) != 1 or after[0].op_type != "Div" or _constant(model, after[0].input[1]) != 6:
        return None
    return add.input[0], clip, after[0]


def _part(
    model: onnx.ModelProto, node: onnx.NodeProto, channels: slice, source: str, target: str, *, group: int
) -> onnx.NodeProto:
    """The convolution of some of the output channels, with weights of its own."""
    names = [f"{target}.{kind}" for kind in ("weight", "bias")]
    for name, values in zip(names, _weights(model, node), strict=True):
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values[channels]), name))
    part = helper.make_node(node.op_type, [source, *names], [target], domain=node.domain)
    part.attribute.extend(attribute for attribute in node.attribute if attribute.name != "group")
    part.attribute.append(helper.make_attribute("group", group))
    return part


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _convolution(model: onnx.ModelProto, output: str) -> onnx.NodeProto:
    for node in model.graph.node:
        if output in node.output and node.op_type in ("Conv", "FusedConv") and len(node.input) == 3:
            return node
    raise ValueError(f"no convolution with a bias makes {output}")


def _weights(model: onnx.ModelProto, node: onnx.NodeProto) -> list[NDArray[np.float32]]:
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    return [np.asarray(numpy_helper.to_array(tensors[name]), np.float32) for name in node.input[1:3]]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def _constant(model: onnx.ModelProto, name: str) -> float | None:
    """The value of a scalar initializer."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            values = numpy_helper.to_array(tensor)
            return float(values.reshape(-1)[0]) if values.size == 1 else None
    return None


def _users(model: onnx.ModelProto) -> dict[str, list[onnx.NodeProto]]:
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    return users
