"""What `llama-bench -o json` prints, read as timings of another program.

The fields are those of `test::get_fields` and `json_printer` in llama.cpp's tools/llama-bench/llama-bench.cpp at commit
0104b151c56d54143e2e3554aabe9e2b2b8dbdba: an array with one object for each test of the process, `samples_ns` with one
entry for each repetition of the whole test, `samples_ts` = 1e9 * (n_prompt + n_gen) / samples_ns, and `n_depth`
positions in the cache before it. Builds that have no `n_depth` yet are refused.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from export.files import first_fault, read_json
from export.manifest import sha256
from models.errors import UserError
from scripts.records.foreign import FOREIGN_SCHEMA, MAX_FOREIGN_BYTES, ForeignTest, ForeignTiming, Program

# Computed from samples_ns by llama-bench; whoever needs them computes them again.
_DERIVED = frozenset({"avg_ns", "stddev_ns", "avg_ts", "stddev_ts", "samples_ts"})


class _Row(BaseModel):
    """The fields that are understood; all others are kept as settings."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, protected_namespaces=())
    build_commit: str
    build_number: int
    cpu_info: str
    gpu_info: str
    backends: str
    model_filename: str
    model_type: str
    model_size: NonNegativeInt
    model_n_params: NonNegativeInt
    n_threads: PositiveInt
    n_prompt: NonNegativeInt
    n_gen: NonNegativeInt
    n_depth: NonNegativeInt
    test_time: str
    samples_ns: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]

    @property
    def process(self) -> tuple[str, int, str, str]:
        """What all tests of one process share."""
        return self.build_commit, self.build_number, self.cpu_info, self.gpu_info


_Rows = Annotated[tuple[_Row, ...], Field(min_length=1)]


def read_llama_bench(path: Path, device: str | None) -> ForeignTiming:
    """All tests of one process: it is what repeats as a whole, and its tests share model load, clock and heat.

    Args:
        path: output of `llama-bench -o json`.
        device: what the person calls the device; None if not said.

    Raises:
        UserError: the file is not what llama-bench prints, or holds tests of several processes.
    """
    try:
        rows = read_json(TypeAdapter[tuple[_Row, ...]](_Rows), path, MAX_FOREIGN_BYTES)
    except UserError as error:
        raise UserError(f"{error}; FILE is what `llama-bench -o json` prints") from error
    if len({row.process for row in rows}) > 1:
        raise UserError(f"{path}: tests of several builds or processors; import the output of one process at a time")
    first = rows[0]
    try:
        return ForeignTiming(
            schema=FOREIGN_SCHEMA, program=Program.LLAMA_BENCH, build=f"{first.build_commit} ({first.build_number})",
            source_sha256=sha256(path), device=device, cpu=first.cpu_info, gpu=first.gpu_info,
            tests=tuple(_test(row) for row in rows),
        )  # fmt: skip
    except ValidationError as error:
        raise UserError(f"{path}: {first_fault(error)}") from error


def _test(row: _Row) -> ForeignTest:
    extra = row.model_extra or {}
    return ForeignTest(
        model_file=row.model_filename, model_type=row.model_type, model_bytes=row.model_size,
        num_params=row.model_n_params, backends=row.backends, num_threads=row.n_threads, prompt_tokens=row.n_prompt,
        generated_tokens=row.n_gen, context=row.n_depth, started_utc=row.test_time, sample_ns=row.samples_ns,
        settings={name: value for name, value in extra.items() if name not in _DERIVED},
    )  # fmt: skip
