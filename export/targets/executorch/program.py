"""An ExecuTorch program with one method of straight-line instructions, built with ExecuTorch's own schema classes."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from executorch.exir import schema
from executorch.exir._serialize._program import PTEFile, serialize_pte_binary
from executorch.exir.scalar_type import ScalarType

from export.targets.executorch.constants import ConstantStore
from export.targets.executorch.memory_plan import Lifetime, plan
from export.targets.executorch.shared_data import share_constants

XNNPACK = "XnnpackBackend"
ARENA = 1  # memory 0 is that of constants
TO_THE_END = 2**63 - 1

_TYPES = {
    np.dtype(np.float32): ScalarType.FLOAT, np.dtype(np.int64): ScalarType.LONG, np.dtype(np.int8): ScalarType.CHAR,
}  # fmt: skip
Metadata = Mapping[str, bool | int | Sequence[int]]


@dataclass
class _Storage:
    """Bytes of the arena that one or more tensors name."""

    num_bytes: int
    tensors: list[int]
    pinned: bool  # keeps its content between calls


@dataclass
class ProgramBuilder:
    """Records values and instructions of the method `forward`. All arguments and results are indices of values."""

    values: list[schema.EValue] = field(default_factory=list[schema.EValue])
    instructions: list[schema.Instruction] = field(default_factory=list[schema.Instruction])
    _operators: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _constants: list[schema.Buffer] = field(default_factory=list[schema.Buffer])
    _literals: dict[str, int] = field(default_factory=dict[str, int])
    _storages: list[_Storage] = field(default_factory=list[_Storage])

    def literal(self, value: schema.Null | schema.Int | schema.Bool | schema.Double) -> int:
        """A constant scalar, shared by all who ask for it."""
        key = repr(value)
        if key not in self._literals:
            self._literals[key] = self._add(value)
        return self._literals[key]

    def integer(self, value: int) -> int:
        """A constant integer."""
        return self.literal(schema.Int(value))

    def result(self, value: schema.Int | schema.Bool) -> int:
        """A scalar that an instruction overwrites."""
        return self._add(value)

    def int_list(self, items: Sequence[int]) -> int:
        """A list of the integers at `items`, read when it is used."""
        return self._add(schema.IntList(list(items)))

    def tensor(self, dims: Sequence[int], dtype: type = np.float32, dynamic: bool = False, state: bool = False) -> int:
        """A tensor in the arena; `dynamic` ones may shrink below `dims`, a `state` lives on between calls."""
        index = self._tensor(dims, np.dtype(dtype), dynamic)
        self._storages.append(_Storage(math.prod(dims) * np.dtype(dtype).itemsize, [index], state))
        return index

    def resizable_view(self, tensor: int) -> int:
        """A second tensor over the same bytes that may be resized without touching them or the first one."""
        storage = next(storage for storage in self._storages if tensor in storage.tensors)
        index = self._tensor(self._get(tensor).sizes, np.dtype(np.float32), True)
        storage.tensors.append(index)
        return index

    def constant(self, array: np.ndarray) -> int:
        """A tensor stored in the file."""
        index = self._tensor(array.shape, array.dtype, False)
        if not self._constants:
            self._constants.append(schema.Buffer(b""))  # buffer 0 means "not a constant"
        self._constants.append(schema.Buffer(np.ascontiguousarray(array).tobytes()))
        self._get(index).data_buffer_idx = len(self._constants) - 1
        return index

    def kernel(self, name: str, overload: str, *arguments: int) -> None:
        """Call an operator; by ExecuTorch's convention the last argument repeats the output."""
        operator = self._operators.setdefault((name, overload), len(self._operators))
        self._emit(schema.KernelCall(op_index=operator, args=list(arguments)))

    def call_delegate(self, delegate: int, arguments: list[int]) -> None:
        """Call a delegate. The list is kept, not copied: arguments may be added until `write`."""
        self._emit(schema.DelegateCall(delegate_index=delegate, args=arguments))

    def jump_unless(self, condition: int) -> schema.JumpFalseCall:
        """A jump to wherever `land` is called."""
        jump = schema.JumpFalseCall(cond_value_index=condition, destination_instruction=-1)
        self._emit(jump)
        return jump

    def land(self, jump: schema.JumpFalseCall) -> None:
        """Make `jump` lead to the next instruction."""
        jump.destination_instruction = len(self.instructions)

    def write(
        self,
        path: Path,
        inputs: Sequence[int],
        outputs: Sequence[int],
        payloads: Sequence[bytes],
        constants: ConstantStore,
        metadata: Metadata,
    ) -> None:
        """Plan the memory and write the `.pte`.

        Args:
            path: file to write.
            inputs: arguments of `forward`.
            outputs: results of `forward`.
            payloads: one per delegate, in the order of their numbers.
            constants: named data that the delegates refer to.
            metadata: methods without arguments that return a fixed value.
        """
        forward = schema.ExecutionPlan(
            name="forward", container_meta_type=schema.ContainerMetadata("", ""), values=self.values,
            inputs=list(inputs), outputs=list(outputs), chains=[schema.Chain([], [], self.instructions, None)],
            operators=[schema.Operator(*key) for key in self._operators],
            delegates=[_inline_delegate(index) for index in range(len(payloads))],
            non_const_buffer_sizes=[0, self._plan_memory(inputs, outputs)],
        )  # fmt: skip
        program = schema.Program(
            version=0,
            execution_plan=[forward, *(_getter(name, value) for name, value in metadata.items())],
            constant_buffer=self._constants or [schema.Buffer(b"")],
            backend_delegate_data=[schema.BackendDelegateInlineData(payload) for payload in payloads],
            segments=[],
            constant_segment=schema.SubsegmentOffsets(0, []),
        )
        keys = {hashlib.sha256(buffer.storage).hexdigest(): number for number, buffer in enumerate(self._constants)}
        shared = {key: (keys[key], size) for key, size in constants.sizes().items() if key in keys}
        file = PTEFile(program=program, named_data=constants.output(without=shared.keys()))
        with path.open("wb") as stream:
            serialize_pte_binary(file, extract_delegate_segments=True).write_to_file(stream)
        if shared:
            share_constants(path, shared)

    def _plan_memory(self, inputs: Sequence[int], outputs: Sequence[int]) -> int:
        uses: dict[int, list[int]] = {value: [-1] for value in inputs}
        end = len(self.instructions)
        for number, instruction in enumerate(self.instructions):
            arguments = instruction.instr_args
            if isinstance(arguments, schema.KernelCall | schema.DelegateCall):
                for value in arguments.args:
                    uses.setdefault(value, []).append(number)
        for value in outputs:
            uses[value].append(end)
        lifetimes: list[Lifetime] = []
        for storage in self._storages:
            used = [number for tensor in storage.tensors for number in uses[tensor]]
            first, last = (-1, end) if storage.pinned else (min(used), max(used))
            lifetimes.append(Lifetime(storage.num_bytes, first, last))
        offsets, arena = plan(lifetimes)
        for storage, offset in zip(self._storages, offsets, strict=True):
            for tensor in storage.tensors:
                self._get(tensor).allocation_info = schema.AllocationDetails(ARENA, offset % 2**32, offset >> 32)
        return arena

    def _tensor(self, dims: Sequence[int], dtype: np.dtype, dynamic: bool) -> int:
        dynamism = schema.TensorShapeDynamism
        return self._add(
            schema.Tensor(
                scalar_type=_TYPES[dtype], storage_offset=0, sizes=list(dims), dim_order=list(range(len(dims))),
                requires_grad=False, layout=0, data_buffer_idx=0, allocation_info=None,
                shape_dynamism=dynamism.DYNAMIC_BOUND if dynamic else dynamism.STATIC,
            )
        )  # fmt: skip

    def _get(self, tensor: int) -> schema.Tensor:
        value = self.values[tensor].val
        assert isinstance(value, schema.Tensor)
        return value

    def _add(self, value: schema.KernelTypes) -> int:
        self.values.append(schema.EValue(value))
        return len(self.values) - 1

    def _emit(self, arguments: schema.InstructionArguments) -> None:
        self.instructions.append(schema.Instruction(arguments))


def _inline_delegate(index: int) -> schema.BackendDelegate:
    data = schema.BackendDelegateDataReference(schema.DataLocation.INLINE, index)
    return schema.BackendDelegate(id=XNNPACK, processed=data, compile_specs=[])


def _getter(name: str, value: bool | int | Sequence[int]) -> schema.ExecutionPlan:
    """A method without instructions whose outputs are its values."""
    items = [value] if isinstance(value, bool | int) else list(value)
    scalars = [schema.Bool(item) if isinstance(item, bool) else schema.Int(item) for item in items]
    return schema.ExecutionPlan(
        name=name, container_meta_type=schema.ContainerMetadata("", ""),
        values=[schema.EValue(scalar) for scalar in scalars], inputs=[], outputs=list(range(len(scalars))),
        chains=[schema.Chain([], [], [], None)], operators=[], delegates=[], non_const_buffer_sizes=[0],
    )  # fmt: skip
