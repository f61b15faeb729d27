"""Faster graphs for OpenSeeFace's networks, rewritten in memory; the files stay as they were published."""

from __future__ import annotations

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
    kept = [replaced.get(id(node), node) for node in nodes]
    _replace_nodes(model, [node for node in kept if node is not None])
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = max(entry.version, HARD_SWISH_OPSET)
    return count


def split_heads(model: onnx.ModelProto) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cut the last, point-wise layer off the two offset heads of a landmark network.

    The network ends in a 1x1, a 3x3 depthwise and a grouped 1x1 convolution over the channels of three heads: heat, row
    offset and column offset. Offsets are needed in one cell a point, so their last layer is left to `regression`. The
    outputs become `heat` (n, points, cells, cells) and `features` (n, 2 points, cells, cells).

    Returns:
        Weights (2, points, points) and biases (2, points) of the layer cut off.

    Raises:
        ValueError: the network does not end as described.
    """
    graph = model.graph
    last = _convolution(model, graph.output[0].name)
    depthwise = _convolution(model, last.input[0])
    mixing = _convolution(model, depthwise.input[0])
    points = _weights(model, last)[0].shape[0] // HEADS
    shapes = [_weights(model, node)[0].shape for node in (last, depthwise)]
    if shapes != [(HEADS * points, points, 1, 1), (HEADS * points, 1, 3, 3)] or _attributes(last).get("group") != HEADS:
        raise ValueError(f"ends in convolutions of {shapes}")
    new, outputs = [], []
    for name, channels in (("heat", slice(0, points)), ("features", slice(points, None))):
        width = points if name == "heat" else (HEADS - 1) * points
        new.append(_part(model, mixing, channels, mixing.input[0], f"{name}_mixed", group=1))
        end = f"{name}_filtered" if name == "heat" else name
        new.append(_part(model, depthwise, channels, f"{name}_mixed", end, group=width))
        outputs.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", width, None, None]))
    new.append(_part(model, last, slice(0, points), "heat_filtered", "heat", group=1))
    old = {id(last), id(depthwise), id(mixing)}
    _replace_nodes(model, [node for node in graph.node if id(node) not in old] + new)
    weights, biases = _weights(model, last)
    del graph.output[:]
    graph.output.extend(outputs)
    return weights[points:].reshape(HEADS - 1, points, points), biases[points:].reshape(HEADS - 1, points)


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
