"""What a written program does, read from the file."""

from collections import Counter

from executorch.exir import schema

from export.targets.base import Observed, TensorInfo
from export.targets.executorch.program import XNNPACK
from export.targets.executorch.reader import PteFile

UPDATE_CACHE, SDPA = "llama::update_cache.out", "llama::custom_sdpa.out"
XNNPACK_ATTENTION = f"{XNNPACK}:BatchMatrixMultiply"
INPUT_NAMES = ("tokens", "input_pos")
_DTYPES = {"FLOAT": "float32", "LONG": "int64", "CHAR": "int8"}


def observe(file: PteFile) -> Observed:
    """Count operators (each call of a delegate counts its operators again) and name what does the main work."""
    kernels, delegated = Counter[str](), Counter[str]()
    for call in file.calls():
        if isinstance(call, schema.KernelCall):
            kernels[file.operator(call)] += 1
        else:
            delegated.update(f"{XNNPACK}:{node.kind}" for node in file.graphs[call.delegate_index].nodes)
    step = _single_token_calls(file)
    states = [call.args[1] for call in step if isinstance(call, schema.KernelCall) and _is(file, call, UPDATE_CACHE)]
    decoder = len(file.plan.inputs) > 1
    names = INPUT_NAMES if decoder else ("x",)
    return Observed(
        operators=dict(kernels + delegated),
        delegated_share=delegated.total() / (kernels + delegated).total(),
        delegate_calls=sum(isinstance(call, schema.DelegateCall) for call in step),
        backends=tuple(sorted({delegate.id for delegate in file.plan.delegates})),
        attention_operator=_attention(file, step) if decoder else "",
        cache_operator=UPDATE_CACHE if states else "",
        inputs=tuple(_info(file, value, name) for value, name in zip(file.plan.inputs, names, strict=True)),
        outputs=(_info(file, file.plan.outputs[0], "logits" if decoder else "output"),),
        states=tuple(_info(file, value, f"cache.{n // 2}.{'kv'[n % 2]}") for n, value in enumerate(states)),
    )


def _single_token_calls(file: PteFile) -> list[schema.KernelCall | schema.DelegateCall]:
    """The calls that a single token executes: a condition computed by a comparison of T with 1 is true then."""
    instructions = file.plan.chains[0].instructions
    computed = {
        call.args[-1]
        for call in file.calls()
        if isinstance(call, schema.KernelCall) and _is(file, call, "executorch_prim::eq.Scalar")
    }
    executed: list[schema.KernelCall | schema.DelegateCall] = []
    counter = 0
    while counter < len(instructions):
        arguments = instructions[counter].instr_args
        counter += 1
        if isinstance(arguments, schema.JumpFalseCall) and arguments.cond_value_index not in computed:
            counter = arguments.destination_instruction
        elif isinstance(arguments, schema.KernelCall | schema.DelegateCall):
            executed.append(arguments)
    return executed


def _attention(file: PteFile, step: list[schema.KernelCall | schema.DelegateCall]) -> str:
    if any(isinstance(call, schema.KernelCall) and _is(file, call, SDPA) for call in step):
        return SDPA
    graphs = (file.graphs[call.delegate_index] for call in step if isinstance(call, schema.DelegateCall))
    return XNNPACK_ATTENTION if any(node.kind == "Softmax" for graph in graphs for node in graph.nodes) else ""


def _is(file: PteFile, call: schema.KernelCall, name: str) -> bool:
    return file.operator(call) == name


def _info(file: PteFile, value: int, name: str) -> TensorInfo:
    tensor = file.tensor(value)
    dynamic = tensor.shape_dynamism == schema.TensorShapeDynamism.DYNAMIC_BOUND
    shape = tuple("T" if dynamic and size > 1 else size for size in tensor.sizes)
    return TensorInfo(name=name, dtype=_DTYPES[tensor.scalar_type.name], shape=shape)
