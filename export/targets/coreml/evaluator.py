"""Runs the program of a saved package in torch, where Core ML itself does not exist.

The program is taken from the file and interpreted: operators by type, arguments by name, sizes as they come. Each
result is rounded to the element type that the program declares for it, so float16 is rounded at least wherever Core ML
rounds it: Core ML may fuse operators and then rounds less often.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from export.targets.coreml.operators import INDEX_PARAMETERS, OPERATORS, plain, slice_by_index, slice_update
from export.targets.coreml.reader import Argument, Operator, Package, Reference
from export.targets.coreml.state_plan import plan_states
from export.targets.coreml.type_check import check_types
from export.targets.coreml.weight_file import Blob
from models.errors import UserError

DEQUANTIZE = "constexpr_blockwise_shift_scale"


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator, ready to run.

    Attributes:
        run: the function, which takes its arguments by name.
        constants: arguments that never change.
        references: arguments to look up, by parameter.
        outputs: names and element types of the results.
        last_uses: names that nothing reads after this step.
    """

    run: Callable[..., Any]
    constants: Mapping[str, Any]
    references: tuple[tuple[str, tuple[Any, ...]], ...]
    outputs: tuple[tuple[str, torch.dtype], ...]
    last_uses: tuple[str, ...]


class Evaluator:
    """A loaded program with its states. Weights are dequantised once, here.

    Raises:
        UserError: the program has an operator that is not supported, or mixes element types.
    """

    def __init__(self, package: Package) -> None:
        check_types(package)
        self._package = package
        self._states = {
            state.name: torch.zeros([int(size) for size in state.shape], dtype=_torch_dtype(state.dtype))
            for state in package.states
        }
        self._loaded: dict[Blob, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self._outputs = {output.name for output in package.outputs}
        self._steps = self._compile()

    @torch.no_grad()
    def predict(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the program once on inputs by name; states keep what it wrote.

        Raises:
            UserError: an input is missing or not of the declared type.
        """
        missing = [needed.name for needed in self._package.inputs if needed.name not in inputs]
        if missing:
            raise UserError(f"evaluator: input {missing[0]} is missing; given: {', '.join(inputs) or 'none'}")
        for needed in self._package.inputs:
            if inputs[needed.name].dtype != needed.dtype:
                raise UserError(f"evaluator: input {needed.name} is {inputs[needed.name].dtype}, not {needed.dtype}")
        values: dict[str, Any] = {name: torch.from_numpy(array) for name, array in inputs.items()}
        for step in self._steps:
            self._execute(step, values)
        return {name: values[name].numpy() for name in self._outputs}

    def _execute(self, step: _Step, values: dict[str, Any]) -> None:
        arguments = dict(step.constants)
        for parameter, sources in step.references:
            found = [values[source.name] if isinstance(source, Reference) else source for source in sources]
            if parameter in INDEX_PARAMETERS:
                arguments[parameter] = plain(found[0])
            else:
                arguments[parameter] = found if parameter == "values" else found[0]
        results = step.run(**arguments)
        if isinstance(results, Tensor):
            results = (results,)
        for (name, dtype), result in zip(step.outputs, results, strict=True):
            values[name] = result.to(dtype)
        for name in step.last_uses:
            del values[name]

    def _compile(self) -> list[_Step]:
        runs = self._stateful()
        steps: list[_Step] = []
        last = self._last_uses()
        for index, operator in enumerate(self._package.operators):
            if operator.kind == DEQUANTIZE:
                self._weights[operator.outputs[0]] = self._dequantize(operator)
                continue
            run = runs.get(index) or OPERATORS.get(operator.kind)
            if run is None:
                raise UserError(f"evaluator: operator {operator.kind} is not one of {', '.join(sorted(OPERATORS))}")
            steps.append(self._step(operator, run, last.get(index, ())))
        return steps

    def _step(self, operator: Operator, run: Callable[..., Any], last_uses: tuple[str, ...]) -> _Step:
        constants: dict[str, Any] = {}
        references: list[tuple[str, tuple[Any, ...]]] = []
        for parameter, arguments in operator.inputs.items():
            resolved = tuple(self._resolve(argument) for argument in arguments)
            if any(isinstance(argument, Reference) for argument in resolved):
                references.append((parameter, resolved))
            elif parameter in INDEX_PARAMETERS:
                constants[parameter] = plain(cast("Tensor | str", resolved[0]))
            else:
                constants[parameter] = list(resolved) if parameter == "values" else resolved[0]
        dtypes = (_torch_dtype(dtype) for dtype in operator.dtypes)
        return _Step(run, constants, tuple(references), tuple(zip(operator.outputs, dtypes, strict=True)), last_uses)

    def _resolve(self, argument: Argument) -> Tensor | Reference | str:
        """References to weights and states become the tensors themselves; other references stay."""
        match argument:
            case Reference(name):
                return self._weights.get(name, self._states.get(name, argument))
            case Blob():
                if argument not in self._loaded:
                    self._loaded[argument] = torch.from_numpy(self._package.weights.read(argument))
                return self._loaded[argument]
            case np.ndarray():
                return torch.from_numpy(argument.copy())
            case str():
                return argument

    def _dequantize(self, operator: Operator) -> Tensor:
        """data * scale, rounded to the declared type but held as float32, in which torch multiplies fastest."""
        if set(operator.inputs) != {"data", "scale"}:
            raise UserError(f"evaluator: {DEQUANTIZE} with {', '.join(sorted(operator.inputs))} is not supported")
        data, scale = (self._numbers(operator.argument(name)) for name in ("data", "scale"))
        rows, groups = scale.shape
        grouped = torch.from_numpy(data.reshape(rows, groups, -1)).float()
        grouped *= torch.from_numpy(scale.astype(np.float32)).unsqueeze(-1)
        return grouped.to(_torch_dtype(operator.dtypes[0])).float().reshape(data.shape)

    def _numbers(self, argument: Argument) -> np.ndarray:
        if isinstance(argument, Blob):
            return self._package.weights.read(argument)
        assert isinstance(argument, np.ndarray)
        return argument.copy()

    def _stateful(self) -> dict[int, Callable[..., Any]]:
        """The operators whose function depends on where they stand: those that touch states."""
        plan = plan_states(self._package.operators)
        runs: dict[int, Callable[..., Any]] = {}
        for index, operator in enumerate(self._package.operators):
            match operator.kind:
                case "read_state":
                    runs[index] = _read_state if index in plan.aliased_reads else _copy_state
                case "write_state":
                    runs[index] = _write_state
                case "slice_update" if index not in plan.in_place_updates:
                    runs[index] = _copying_slice_update
                case "slice_by_index" if index in plan.copying_slices:
                    runs[index] = _copying_slice
                case _:
                    pass
        return runs

    def _last_uses(self) -> dict[int, tuple[str, ...]]:
        """Names to forget after each operator; a program's outputs are kept, weights and states are no values."""
        last: dict[str, int] = {}
        for index, operator in enumerate(self._package.operators):
            kept_elsewhere = operator.kind == DEQUANTIZE
            for name in operator.outputs if not kept_elsewhere else ():
                last[name] = index
            for arguments in operator.inputs.values():
                for argument in arguments:
                    if isinstance(argument, Reference) and argument.name in last:
                        last[argument.name] = index
        frees: dict[int, tuple[str, ...]] = {}
        for name, index in last.items():
            if name not in self._outputs:
                frees[index] = (*frees.get(index, ()), name)
        return frees


def _read_state(input: Tensor) -> Tensor:
    return input


def _copy_state(input: Tensor) -> Tensor:
    return input.clone()


def _write_state(input: Tensor, data: Tensor) -> tuple[()]:
    if data.data_ptr() != input.data_ptr():
        input.copy_(data)
    return ()


def _copying_slice_update(x: Tensor, update: Tensor, **where: Sequence[int]) -> Tensor:
    return slice_update(x.clone(), update, **where)


def _copying_slice(x: Tensor, **where: Sequence[int]) -> Tensor:
    return slice_by_index(x, **where).clone()


def _torch_dtype(name: str) -> torch.dtype:
    return getattr(torch, name)
