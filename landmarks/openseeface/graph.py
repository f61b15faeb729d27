"""Faster graphs for OpenSeeFace's networks, rewritten in memory; the files stay as they were published."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import helper, numpy_helper

HARD_SWISH_OPSET = 14  # the first with the operator
RESIZE_OPSET = 13  # from which on it takes scales alone
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


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
    replace_nodes(model, [node for node in kept if node is not None])
    require_opset(model, HARD_SWISH_OPSET)
    return count


def spread_gates(model: onnx.ModelProto) -> int:
    """Multiply maps by gates of their own size, where a gate has one value per channel (squeeze and excitation).

    ONNX Runtime keeps its blocked order of channels through products of equal shapes only: otherwise it reorders the
    maps before and after.

    Returns:
        How many gates there were; those of maps whose size is open stay. The results are the same.
    """
    shapes, nodes, count = _shapes(model), [], 0
    for node in model.graph.node:
        factors = [shapes.get(name, ()) for name in node.input]
        if node.op_type == "Mul" and _is_gated(*factors):
            scales, spread = f"gate_{count}_scales", f"gate_{count}_spread"
            size = np.array([1, 1, *factors[0][2:]], np.float32)
            model.graph.initializer.append(numpy_helper.from_array(size, scales))
            nodes.append(helper.make_node("Resize", [node.input[1], "", scales], [spread], **NEAREST))
            nodes.append(helper.make_node("Mul", [node.input[0], spread], list(node.output)))
            count += 1
        else:
            nodes.append(node)
    if count:
        replace_nodes(model, nodes)
        require_opset(model, RESIZE_OPSET)
    return count


def fix_batch(model: onnx.ModelProto, count: int) -> None:
    """State the size of the batch, so that the runtime folds what computes shapes and keeps one layout."""
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = count
    del model.graph.value_info[:]


def require_opset(model: onnx.ModelProto, version: int) -> None:
    """State at least this version of the standard operators; those that the networks use mean the same in it."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = max(entry.version, version)


def replace_nodes(model: onnx.ModelProto, nodes: Iterable[onnx.NodeProto]) -> None:
    """Nodes of the model itself may be among the new ones."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


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


def _is_gated(maps: tuple[int, ...], gate: tuple[int, ...]) -> bool:
    """Whether shapes of two factors are of maps of known size, larger than 1x1, and of a value for each channel."""
    return len(maps) == 4 and all(maps) and maps[2:] != (1, 1) and gate == (*maps[:2], 1, 1)


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Of all values as far as they follow from the input's; 0 for a size that is open."""
    plain = onnx.ModelProto.FromString(model.SerializeToString())
    for node in plain.graph.node:
        if node.op_type == "FusedConv":  # ONNX Runtime's own, of the shape of a convolution
            node.op_type, node.domain = "Conv", ""
            kept = [attribute for attribute in node.attribute if not attribute.name.startswith("activation")]
            del node.attribute[:]
            node.attribute.extend(kept)
    graph = onnx.shape_inference.infer_shapes(plain).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {value.name: tuple(int(size.dim_value) for size in value.type.tensor_type.shape.dim) for value in values}


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
