"""The end of a landmark network, rewritten in memory so that it gives points instead of maps.

As published, a network gives a heat map and two offset maps per point, of which only the offsets in the hottest cell
are used. Its last three layers are a 1x1 convolution, a 3x3 depthwise one with several filters a channel, and a 1x1 one
within each head (heat, row offset, column offset), each clipped to 0..6. All of it runs for the heat; for the offsets
it runs in the hottest cells alone, with the first layer also in their neighbours.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from landmarks.openseeface.graph import replace_nodes, require_opset

Array = NDArray[np.float32]

OPSET = 13  # from which on the operators are as written here
HEADS = 3
COLUMN_ROW = [2, 1]  # the offset heads, as x and y
CLIP = (np.array(0, np.float32), np.array(6, np.float32))
LOGIT_FACTOR = 16.0
LOGIT_LIMIT = 1e-7
AVX_512F = 13  # OpenCV's number for it


def end_in_points(model: onnx.ModelProto, *, side_px: int) -> bool:
    """Make a landmark network give `heat` (points,), the peaks, and `places` (2, points), x and y in its picture.

    Args:
        model: a network with one output of maps (1, 3 points, height, width).
        side_px: of the picture that the network takes.

    Returns:
        Whether it ends in the layers described above; else the points are read from its maps.
    """
    output = model.graph.output[0]
    _, channels, height, width = (size.dim_value for size in output.type.tensor_type.shape.dim)
    points, add = channels // HEADS, Builder(model)
    layers = _last_layers(model, points)
    if layers is None:
        heads = add("Reshape", output.name, _integers([HEADS, points, height * width]))
        heat, cells = _peaks(add, add("Gather", heads, _integers(0)))
        offsets = _offsets_in(add, add("Gather", heads, _integers(COLUMN_ROW)), cells)
    else:
        maps = add("Reshape", _heat_maps(add, layers), _integers([points, height * width]))
        heat, cells = _peaks(add, maps)
        offsets = _offsets_at(add, layers, cells, height=height, width=width)
    places = _places(add, cells, offsets, side_px=side_px, height=height, width=width)
    del model.graph.output[:]
    for name, shape in ((heat, [points]), (places, [2, points])):
        model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))
    require_opset(model, OPSET)
    return layers is not None


class Builder:
    """Adds nodes to a graph; called with an operator and its inputs it gives the name of what the node puts out."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._count = 0

    def __call__(self, operator: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Inputs are names or constants."""
        names = [each if isinstance(each, str) else self._constant(each) for each in inputs]
        output = self._name()
        self._graph.node.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def layer(self, source: str, weights: Array, biases: Array, **attributes: Any) -> str:
        """A convolution clipped to 0..6."""
        return self("Clip", self("Conv", source, weights, biases, **attributes), *CLIP)

    def _constant(self, values: NDArray[Any]) -> str:
        name = self._name()
        self._graph.initializer.append(
            numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name)
        )
        return name

    def _name(self) -> str:
        self._count += 1
        return f"ending_{self._count}"


@dataclass(frozen=True, eq=False)
class LastLayers:
    """Weights and biases of the last three layers, by head."""

    source: str  # what they see, (1, channels, height, width)
    mixing: Array  # (3, points, channels, 1, 1)
    mixing_biases: Array  # (3, points)
    filters: Array  # (3, points, filters, 1, 3, 3)
    filter_biases: Array  # (3, points, filters)
    weights: Array  # (3, points, points, filters): head, point, channel, filter
    biases: Array  # (3, points)

    @property
    def count(self) -> int:
        """Filters for each channel."""
        return self.filters.shape[2]


def _last_layers(model: onnx.ModelProto, points: int) -> LastLayers | None:
    """The last three layers, cut off the network; None, and the network as it is, where they are others."""
    nodes, name = [], model.graph.output[0].name
    for _ in range(3):
        node = next((node for node in model.graph.node if name in node.output), None)
        if node is None or node.op_type != "FusedConv" or len(node.input) != 3:
            return None
        if _attributes(node).get("activation_params") != [0.0, 6.0]:
            return None
        nodes.append(node)
        name = node.input[0]
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    (weights, biases), (filters, filter_biases), (mixing, mixing_biases) = (
        [tensors[name] for name in node.input[1:]] for node in nodes
    )
    count = len(filters) // (HEADS * points)
    shapes = (
        (HEADS * points, points * count, 1, 1),
        (HEADS * points * count, 1, 3, 3),
        (HEADS * points, mixing.shape[1], 1, 1),
    )
    if (weights.shape, filters.shape, mixing.shape) != shapes:
        return None
    cut = {id(node) for node in nodes}
    replace_nodes(model, [node for node in model.graph.node if id(node) not in cut])
    return LastLayers(
        source=name,
        mixing=mixing.reshape(HEADS, points, -1, 1, 1),
        mixing_biases=mixing_biases.reshape(HEADS, points),
        filters=filters.reshape(HEADS, points, count, 1, 3, 3),
        filter_biases=filter_biases.reshape(HEADS, points, count),
        weights=weights.reshape(HEADS, points, points, count),
        biases=biases.reshape(HEADS, points),
    )


def _heat_maps(add: Builder, layers: LastLayers) -> str:
    """(1, points, height, width)."""
    block = _block()
    blocks = -(-len(layers.mixing[0]) // block) * block
    mixed = add.layer(layers.source, _padded(layers.mixing[0], blocks), _padded(layers.mixing_biases[0], blocks))
    # A sum of convolutions: the runtime adds them up as it goes, where joined inputs would be copied first.
    sums: list[str] = []
    for index in range(layers.count):
        filters = _padded(layers.filters[0, :, index], blocks)
        biases = _padded(layers.filter_biases[0, :, index], blocks)
        filtered = add.layer(mixed, filters, biases, group=blocks, pads=[1, 1, 1, 1])
        weights = _padded(layers.weights[0, :, :, index].T, blocks).T[:, :, None, None]
        if sums:
            sums.append(add("Add", sums[-1], add("Conv", filtered, weights)))
        else:
            sums.append(add("Conv", filtered, weights, layers.biases[0]))
    return add("Clip", sums[-1], *CLIP)


def _block() -> int:
    """Channels that ONNX Runtime keeps together on this machine; filters that fill no block it would compute slowly."""
    is_x86 = platform.machine() in ("x86_64", "AMD64")
    return 8 if is_x86 and not cv2.checkHardwareSupport(AVX_512F) else 16


def _peaks(add: Builder, maps: str) -> tuple[str, str]:
    """The peak of each heat map and the cell in which it is, both (points,); of maps (points, cells)."""
    heat = add("ReduceMax", maps, axes=[1], keepdims=0)
    return heat, add("ArgMax", maps, axis=1, keepdims=0)


def _offsets_in(add: Builder, maps: str, cells: str) -> str:
    """(2, points) offsets in one cell per point, of maps (2, points, cells)."""
    index = add("Reshape", cells, _integers([1, -1, 1]))
    both = add("Concat", index, index, axis=0)
    return add("Squeeze", add("GatherElements", maps, both, axis=2), _integers([2]))


def _offsets_at(add: Builder, layers: LastLayers, cells: str, *, height: int, width: int) -> str:
    """(2, points) offsets in one cell per point, by the last layers of the offset heads there."""
    points, count = layers.biases.shape[1], layers.count
    outside = height * width
    window = add("Transpose", add("Gather", _neighbours(height, width), cells), perm=[1, 0, 2])
    window = add("Reshape", window, _integers([-1]))  # (3 rows, points, 3 columns) cells, as in a picture
    ones = np.ones(9 * points, np.int32)
    is_used = add("ScatterElements", np.zeros(outside + 1, np.int32), window, ones, axis=0)
    used = add("Slice", is_used, _integers([0]), _integers([outside]))
    used = add("Reshape", add("NonZero", used), _integers([-1]))
    rank = add("CumSum", is_used, _integers(0), exclusive=1)  # that of the outside comes after all those used

    channels = layers.mixing.shape[2]
    rows = add("Transpose", layers.source, perm=[0, 2, 3, 1])
    rows = add("Gather", add("Reshape", rows, _integers([outside, channels])), used)
    mixing = layers.mixing[COLUMN_ROW].reshape(2 * points, channels).T
    mixed = add("Clip", add("Gemm", rows, mixing, layers.mixing_biases[COLUMN_ROW].reshape(-1)), *CLIP)
    mixed = add("Concat", mixed, np.zeros((1, 2 * points), np.float32), axis=0)  # the outside is zero

    picture = add("Gather", mixed, add("Gather", rank, window))
    picture = add("Reshape", picture, _integers([1, 3, 3 * points, 2 * points]))
    picture = add("Transpose", picture, perm=[0, 3, 1, 2])
    filters = layers.filters[COLUMN_ROW].reshape(2 * points, count, 1, 3, 3)
    biases = layers.filter_biases[COLUMN_ROW].reshape(2 * points, count)
    filtered = [
        add.layer(picture, filters[:, index], biases[:, index], group=2 * points, strides=[3, 3])
        for index in range(count)
    ]
    filtered_rows = add("Reshape", add("Concat", *filtered, axis=2), _integers([2, points * count, points]))
    weights = layers.weights[COLUMN_ROW].reshape(2, points, points * count).transpose(0, 2, 1)
    sums = add("ReduceSum", add("Mul", filtered_rows, weights), _integers([1]), keepdims=0)
    return add("Clip", add("Add", sums, layers.biases[COLUMN_ROW]), *CLIP)


def _places(add: Builder, cells: str, offsets: str, *, side_px: int, height: int, width: int) -> str:
    """(2, points) pixels, of cells and of the offsets (2, points) in them; cells span one step less than the side."""
    span = side_px - 1
    limits = (np.array(limit, np.float32) for limit in (LOGIT_LIMIT, 1 - LOGIT_LIMIT))
    share = add("Clip", offsets, *limits)
    logit = add("Log", add("Div", share, add("Sub", np.array(1, np.float32), share)))
    rows, columns = np.divmod(np.arange(height * width), width)
    corners = np.stack([span * columns / (width - 1), span * rows / (height - 1)]).astype(np.float32)
    moved = add("Mul", logit, np.array(span / LOGIT_FACTOR, np.float32))
    return add("Add", add("Gather", corners, cells, axis=1), moved)


def _integers(values: int | list[int]) -> NDArray[np.int64]:
    """As ONNX wants them, also where NumPy's own are shorter."""
    return np.array(values, np.int64)


def _neighbours(height: int, width: int) -> NDArray[np.int64]:
    """(cells, 3, 3) each cell with those around it; height * width stands for the outside."""
    framed = np.full((height + 2, width + 2), height * width, np.int64)
    framed[1:-1, 1:-1] = np.arange(height * width).reshape(height, width)
    return np.lib.stride_tricks.sliding_window_view(framed, (3, 3)).reshape(-1, 3, 3)


def _padded(values: Array, length: int) -> Array:
    """Zeros behind the first axis."""
    return np.concatenate([values, np.zeros((length - len(values), *values.shape[1:]), np.float32)])


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
