"""Slimmed TFLite files: one crop a call, and PReLU as few operators.

Converters of old wrote MobileFaceNet for two crops at a time, of which a device needs one, and
spelled PReLU as five operators, relu(x) + c (x - |x|). In float32 one operator does that; integer
runtimes have no fast PReLU, and it becomes max(x, slope x), or x + (slope - 1) (x - relu(x)) where
a slope is larger than 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

_NONE = 0
"""Activation that an operator brings along."""


def slimmed(data: bytes, *, integer: bool) -> bytes:
    """The float32 file `data` so changed; what says the same of a crop as before.

    integer: for a file whose activations are to be int8. A file with several graphs, or in which
    the batch is not only its first axis, stays as it is; compare the answers all the same.
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model: Any = flatbuffer_utils.convert_bytearray_to_object(bytearray(data))
    if len(model.subgraphs) != 1:
        return data
    graph = _Graph(model)
    for unit in list(graph.prelus()):
        graph.replace(unit, integer)
    graph.for_one_crop()
    graph.drop_unused()
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


@dataclass(frozen=True, eq=False)
class _Prelu:
    """x, out: tensors. slope: float32[C]. operators: that it is made of, the last one its place."""

    x: int
    out: int
    slope: np.ndarray
    operators: tuple[Any, ...]


class _Graph:
    def __init__(self, model: Any) -> None:
        from tensorflow.lite.python import schema_py_generated as schema

        self._schema, self._model, self._graph = schema, model, model.subgraphs[0]
        self._kinds = {
            value: name
            for name, value in vars(schema.BuiltinOperator).items()
            if not name.startswith("_")
        }

    def prelus(self) -> Iterator[_Prelu]:
        """All PReLUs, spelled out or not, in their order."""
        made_by = {int(o.outputs[0]): o for o in self._graph.operators}
        for last in self._graph.operators:
            if self._kind(last) == "PRELU":
                slope = self._constant(int(last.inputs[1]))
                if slope is not None:
                    out = int(last.outputs[0])
                    yield _Prelu(int(last.inputs[0]), out, slope.reshape(-1), (last,))
                continue
            if self._kind(last) == "ADD":
                first, second = (made_by.get(int(i)) for i in last.inputs)
                for relu, product in ((first, second), (second, first)):
                    found = self._spelled(made_by, last, relu, product)
                    if found is not None:
                        yield found
                        break

    def replace(self, unit: _Prelu, integer: bool) -> None:
        """Put fewer operators into the place of a PReLU's."""
        builtin = self._schema.BuiltinOperator
        operators = self._graph.operators
        place = next(n for n, o in enumerate(operators) if o is unit.operators[-1])
        slope = unit.slope.astype(np.float32)
        if not integer:
            alpha = self._add_constant(slope.reshape(1, 1, -1))
            new = [self._operator(builtin.PRELU, [unit.x, alpha], unit.out)]
        elif slope.max() <= 1.0:
            scaled = self._add_like(unit.x)
            new = [
                self._operator(builtin.MUL, [unit.x, self._add_constant(slope)], scaled),
                self._operator(builtin.MAXIMUM, [unit.x, scaled], unit.out),
            ]
        else:
            above, below, scaled = (self._add_like(unit.x) for _ in range(3))
            new = [
                self._operator(builtin.RELU, [unit.x], above),
                self._operator(builtin.SUB, [unit.x, above], below),
                self._operator(builtin.MUL, [below, self._add_constant(slope - 1.0)], scaled),
                self._operator(builtin.ADD, [unit.x, scaled], unit.out),
            ]
        operators[place : place + 1] = new
        gone = {id(o) for o in unit.operators[:-1]}
        self._graph.operators = [o for o in operators if id(o) not in gone]

    def for_one_crop(self) -> None:
        """A first axis of several crops becomes one of 1, in all tensors and shapes."""
        tensors = self._graph.tensors
        batch = int(tensors[int(self._graph.inputs[0])].shape[0])
        if batch <= 1:
            return
        moving = [t for t in tensors if not self._holds_data(t)]
        if any(len(t.shape) < 2 or int(t.shape[0]) != batch for t in moving):
            return
        for operator in self._graph.operators:
            if self._kind(operator) == "RESHAPE" and not self._reshape_one(operator, batch):
                return
        for tensor in moving:
            tensor.shape = [1, *map(int, tensor.shape[1:])]

    def drop_unused(self) -> None:
        """Leave out the tensors of operators that are gone: quantizers want a value of each."""
        graph = self._graph
        lists = [graph.inputs, graph.outputs]
        lists += [part for o in graph.operators for part in (o.inputs, o.outputs)]
        used = sorted({int(i) for part in lists for i in part if int(i) >= 0})
        new = {old: place for place, old in enumerate(used)}
        graph.tensors = [graph.tensors[old] for old in used]
        graph.inputs, graph.outputs = ([new[int(i)] for i in part] for part in lists[:2])
        for operator in graph.operators:
            operator.inputs = [new.get(int(i), -1) for i in operator.inputs]
            operator.outputs = [new[int(i)] for i in operator.outputs]
        self._model.signatureDefs = []

    def _reshape_one(self, operator: Any, batch: int) -> bool:
        """Whether the shape that a reshaping is given can begin with 1 in place of `batch`."""
        wanted = [list(map(int, self._graph.tensors[int(operator.outputs[0])].shape))]
        tensor = self._graph.tensors[int(operator.inputs[1])] if len(operator.inputs) > 1 else None
        if tensor is None or not self._holds_data(tensor):
            return False
        stored = np.frombuffer(bytes(bytearray(self._model.buffers[tensor.buffer].data)), np.int32)
        if stored[0] not in (batch, -1) or wanted[0][0] != batch:
            return False
        one = np.array([1, *stored[1:]], np.int32)
        tensor.buffer = self._add_buffer(one.tobytes())
        if operator.builtinOptions is not None and operator.builtinOptions.newShape is not None:
            operator.builtinOptions.newShape = [1, *map(int, stored[1:])]
        return True

    def _spelled(
        self, made_by: dict[int, Any], last: Any, relu: Any, product: Any
    ) -> _Prelu | None:
        """relu(x) + c * (x - |x|) whose last operator is `last`, None where it is not that."""
        if relu is None or product is None:
            return None
        if self._kind(relu) != "RELU" or self._kind(product) != "MUL":
            return None
        x = int(relu.inputs[0])
        values = [self._constant(int(i)) for i in product.inputs]
        if (values[0] is None) == (values[1] is None):
            return None
        slope = values[0] if values[0] is not None else values[1]
        assert slope is not None
        difference = made_by.get(int(product.inputs[1 if values[0] is not None else 0]))
        if difference is None or self._kind(difference) != "SUB":
            return None
        absolute = made_by.get(int(difference.inputs[1]))
        if absolute is None or self._kind(absolute) != "ABS":
            return None
        if {int(difference.inputs[0]), int(absolute.inputs[0])} != {x}:
            return None
        parts = (relu, absolute, difference, product, last)
        fused = [o.builtinOptions.fusedActivationFunction for o in (difference, product, last)]
        if any(fused) or any(self._uses(int(o.outputs[0])) != 1 for o in parts[:-1]):
            return None
        if slope.size != int(self._graph.tensors[x].shape[-1]):
            return None
        return _Prelu(x, int(last.outputs[0]), 2.0 * slope.reshape(-1), parts)

    def _uses(self, tensor: int) -> int:
        within = sum(int(i) == tensor for o in self._graph.operators for i in o.inputs)
        return within + sum(int(i) == tensor for i in self._graph.outputs)

    def _kind(self, operator: Any) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return self._kinds.get(max(code.builtinCode, code.deprecatedBuiltinCode), "")

    def _holds_data(self, tensor: Any) -> bool:
        data = self._model.buffers[tensor.buffer].data
        return data is not None and len(data) > 0

    def _constant(self, index: int) -> np.ndarray | None:
        tensor = self._graph.tensors[index]
        if not self._holds_data(tensor) or tensor.type != self._schema.TensorType.FLOAT32:
            return None
        stored = bytes(bytearray(self._model.buffers[tensor.buffer].data))
        return np.frombuffer(stored, np.float32).reshape([int(n) for n in tensor.shape])

    def _add_buffer(self, data: bytes) -> int:
        buffer = self._schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8) if data else None
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def _add_constant(self, values: np.ndarray) -> int:
        return self._add_tensor(values.shape, self._add_buffer(values.astype(np.float32).tobytes()))

    def _add_like(self, tensor: int) -> int:
        shape = tuple(int(n) for n in self._graph.tensors[tensor].shape)
        return self._add_tensor(shape, self._add_buffer(b""))

    def _add_tensor(self, shape: tuple[int, ...], buffer: int) -> int:
        tensor = self._schema.TensorT()
        tensor.shape, tensor.buffer = list(shape), buffer
        tensor.type = self._schema.TensorType.FLOAT32
        tensor.name = f"slim_{len(self._graph.tensors)}".encode()
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, code: int, inputs: list[int], output: int) -> Any:
        schema = self._schema
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(code)
        operator.inputs, operator.outputs = inputs, [output]
        kinds = {
            schema.BuiltinOperator.MUL: (schema.BuiltinOptions.MulOptions, schema.MulOptionsT),
            schema.BuiltinOperator.ADD: (schema.BuiltinOptions.AddOptions, schema.AddOptionsT),
            schema.BuiltinOperator.SUB: (schema.BuiltinOptions.SubOptions, schema.SubOptionsT),
            schema.BuiltinOperator.MAXIMUM: (
                schema.BuiltinOptions.MaximumMinimumOptions,
                schema.MaximumMinimumOptionsT,
            ),
        }
        if code in kinds:
            operator.builtinOptionsType, made = kinds[code][0], kinds[code][1]()
            operator.builtinOptions = made
        return operator

    def _code(self, number: int) -> int:
        codes = self._model.operatorCodes
        for index, code in enumerate(codes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number:
                return index
        code = self._schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.version = 1
        codes.append(code)
        return len(codes) - 1
