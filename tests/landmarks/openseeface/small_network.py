"""A landmark network small enough to run at once."""

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

POINTS, FILTERS = 66, 4


def landmark_model(side: int = 32, channels: int = 16, seed: int = 0) -> onnx.ModelProto:
    """A small network with hard-swish, a gate and the three heads of OpenSeeFace's."""
    random = np.random.default_rng(seed)

    def weights(name: str, *shape: int) -> list[str]:
        scale = (3 / np.prod(shape[1:])) ** 0.5
        values = random.normal(0, scale, shape).astype(np.float32)
        biases = random.uniform(0.2, 0.8, shape[0]).astype(np.float32)
        tensors.extend([numpy_helper.from_array(values, f"{name}.w"), numpy_helper.from_array(biases, f"{name}.b")])
        return [f"{name}.w", f"{name}.b"]

    def clipped(source: str, target: str, parts: list[str], group: int, kernel: int) -> onnx.NodeProto:
        attributes = {"kernel_shape": [kernel] * 2, "pads": [kernel // 2] * 4, "group": group, "strides": [1, 1]}
        return helper.make_node(
            "FusedConv",
            [source, *parts],
            [target],
            domain="com.microsoft",
            activation="Clip",
            activation_params=[0.0, 6.0],
            **attributes,
        )

    tensors = [
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("0", 0), ("3", 3), ("6", 6))
    ]
    nodes = [
        helper.make_node("Conv", ["input", *weights("stem", channels, 3, 8, 8)], ["x"], strides=[8, 8]),
        helper.make_node("Add", ["x", "3"], ["x1"]),
        helper.make_node("Clip", ["x1", "0", "6"], ["x2"]),
        helper.make_node("Div", ["x2", "6"], ["x3"]),
        helper.make_node("Mul", ["x", "x3"], ["y"]),
        helper.make_node("GlobalAveragePool", ["y"], ["g"]),
        helper.make_node("Add", ["g", "3"], ["g1"]),
        helper.make_node("Clip", ["g1", "0", "6"], ["g2"]),
        helper.make_node("Div", ["g2", "6"], ["g3"]),
        helper.make_node("Mul", ["y", "g3"], ["z"]),
        clipped("z", "mixed", weights("mixing", 3 * POINTS, channels, 1, 1), 1, 1),
        clipped("mixed", "filtered", weights("filters", 3 * POINTS * FILTERS, 1, 3, 3), 3 * POINTS, 3),
        clipped("filtered", "output", weights("last", 3 * POINTS, POINTS * FILTERS, 1, 1), 3, 1),
    ]
    cells = side // 8
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, ["n", 3 * POINTS, cells, cells])],
        tensors,
    )
    opsets = [helper.make_opsetid("", 11), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, ir_version=4, opset_imports=opsets)


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
