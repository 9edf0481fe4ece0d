"""Times the pairs: two arms loaded side by side, runs interleaved deep, wide, wide, deep."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from export.manifest import Manifest, find_artifacts
from export.quantization import Scheme
from export.sdk_output import sdk_output_hidden
from export.targets.base import TargetName
from export.targets.registry import get_target
from models.errors import UserError
from models.pair import Arm, Pair
from models.shape import MlpShape, Shape
from scripts.claims.seed_article.pairs import SEED_PAIRS
from scripts.claims.seed_article.record import Comparison, Compute, Engine
from scripts.host.environment import device_facts

_ENGINES = {TargetName.EXECUTORCH: Engine.EXECUTORCH, TargetName.ONNX: Engine.ONNX}
_WARM_UP = 3
# A row takes milliseconds, a batch of 128 up to half a second.
_CALLS, _CALLS_OF_A_BATCH = 20, 5
_SEED = 0

Call = Callable[[], object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        computes: eager PyTorch runs on each.
        threads: settings of the CPU engines.
        batches: rows of a call; artifacts take one row.
        runs: of each arm in each comparison.
        artifacts: folder that `python -m export all --pair seed-mlp --scheme fp32` filled; None for eager alone.
    """

    computes: tuple[Compute, ...]
    threads: tuple[int, ...]
    batches: tuple[int, ...]
    runs: int
    artifacts: Path | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Setting:
    """A comparison before it has numbers; `opened` loads an arm and gives its call."""

    pair: Pair
    engine: Engine
    compute: Compute
    device: str
    threads: int | None
    batch: int
    opened: Callable[[Arm], Call]


def build_mlp(shape: MlpShape) -> nn.Sequential:
    """The article's network: linear layers with ReLU between them, PyTorch's own initialisation."""
    layers: list[nn.Module] = []
    for inputs, outputs in shape.layer_sizes:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def measure(plan: Plan, on_progress: Callable[[str, int, int], None]) -> tuple[Comparison, ...]:
    """Every comparison of the plan; `on_progress` gets what comes next, comparisons done, and all of them.

    Raises:
        UserError: the artifacts folder holds none of the pairs.
    """
    settings = list(_settings(plan))
    found: list[Comparison] = []
    with ExitStack() as stack:
        stack.enter_context(sdk_output_hidden()) if plan.artifacts else None
        for index, setting in enumerate(settings):
            threads = "" if setting.threads is None else f", {setting.threads} threads"
            line = f"{setting.pair.name}, {setting.engine} on {setting.compute}{threads}, batch {setting.batch}"
            on_progress(line, index, len(settings))
            found.append(_compare(setting, plan.runs))
    return tuple(found)


def interleaved(deep: Call, wide: Call, runs: int, calls: int, warm_up: int) -> dict[Arm, list[int]]:
    """Median nanoseconds of each run: deep, wide, wide, deep, and so on, so that drift meets both alike."""
    found: dict[Arm, list[int]] = {Arm.DEEP: [], Arm.WIDE: []}
    for index in range(runs):
        order = (Arm.DEEP, Arm.WIDE) if index % 2 == 0 else (Arm.WIDE, Arm.DEEP)
        for arm in order:
            found[arm].append(_run(deep if arm is Arm.DEEP else wide, calls, warm_up))
    return found


def _compare(setting: _Setting, runs: int) -> Comparison:
    if setting.threads is not None:
        torch.set_num_threads(setting.threads)
    calls = _CALLS if setting.batch == 1 else _CALLS_OF_A_BATCH
    with torch.inference_mode():
        times = interleaved(setting.opened(Arm.DEEP), setting.opened(Arm.WIDE), runs, calls, _WARM_UP)
    return Comparison(
        pair=setting.pair.name, engine=setting.engine, compute=setting.compute, device=setting.device,
        threads=setting.threads, batch=setting.batch, calls=calls, warm_up=_WARM_UP,
        deep_ns=tuple(times[Arm.DEEP]), wide_ns=tuple(times[Arm.WIDE]),
    )  # fmt: skip


def _run(call: Call, calls: int, warm_up: int) -> int:
    for _ in range(warm_up):
        call()
    times: list[int] = []
    for _ in range(calls):
        start = time.perf_counter_ns()
        call()
        times.append(time.perf_counter_ns() - start)
    return int(statistics.median(times))


def _settings(plan: Plan) -> Iterator[_Setting]:
    manifests = _artifacts(plan.artifacts) if plan.artifacts else {}
    processor = device_facts().soc or "this machine"
    for compute in plan.computes:
        on_gpu = compute is Compute.CUDA
        device = torch.cuda.get_device_name() if on_gpu else processor
        for threads in (None,) if on_gpu else plan.threads:
            for batch in plan.batches:
                for pair in SEED_PAIRS:
                    yield _Setting(
                        pair=pair, engine=Engine.EAGER, compute=compute, device=device, threads=threads, batch=batch,
                        opened=_eager_opener(pair, compute, batch),
                    )  # fmt: skip
    for threads in plan.threads:
        yield from _of_artifacts(manifests, processor, threads)


def _of_artifacts(manifests: dict[Path, Manifest], device: str, threads: int) -> Iterator[_Setting]:
    for target, engine in _ENGINES.items():
        for pair in SEED_PAIRS:
            folders = {m.arm: path for path, m in manifests.items() if (m.pair, m.target) == (pair.name, target)}
            if Arm.DEEP in folders and Arm.WIDE in folders:
                yield _Setting(
                    pair=pair, engine=engine, compute=Compute.CPU, device=device, threads=threads, batch=1,
                    opened=_artifact_opener({path: manifests[path] for path in folders.values()}, threads),
                )  # fmt: skip


def _artifacts(root: Path) -> dict[Path, Manifest]:
    manifests, _ = find_artifacts(root)
    names = [pair.name for pair in SEED_PAIRS]
    found = {path: m for path, m in manifests.items() if m.pair in names and m.scheme is Scheme.FP32}
    if not found:
        raise UserError(
            f"{root}: no fp32 artifact of {' or '.join(names[:2])}; make them with "
            f"`python -m export all --pair {names[0]} --scheme fp32 --target onnx,executorch --out {root}`"
        )
    return found


def _eager_opener(pair: Pair, compute: Compute, batch: int) -> Callable[[Arm], Call]:
    def opened(arm: Arm) -> Call:
        shape = _mlp(pair.arm(arm))
        torch.manual_seed(_SEED)
        network = build_mlp(shape).to(compute.value)
        x = torch.randn(batch, shape.input_size, device=compute.value)
        if compute is Compute.CPU:
            return lambda: network(x)

        def synchronous() -> None:
            network(x)
            torch.cuda.synchronize()

        return synchronous

    return opened


def _artifact_opener(manifests: dict[Path, Manifest], threads: int) -> Callable[[Arm], Call]:
    def opened(arm: Arm) -> Call:
        folder, manifest = next((path, m) for path, m in manifests.items() if m.arm is arm)
        target = get_target(manifest.target)
        target.load_runtime()
        network = target.open_network(manifest.spec, folder, threads)
        x = np.random.default_rng(_SEED).standard_normal((1, _mlp(manifest.shape).input_size), dtype=np.float32)
        return lambda: network.forward(x)

    return opened


def available_computes() -> Sequence[Compute]:
    """The CPU, and CUDA where there is a GPU."""
    return [Compute.CPU, Compute.CUDA] if torch.cuda.is_available() else [Compute.CPU]


def _mlp(shape: Shape) -> MlpShape:
    assert isinstance(shape, MlpShape)
    return shape
