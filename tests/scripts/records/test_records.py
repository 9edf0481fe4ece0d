"""Requests and records: the goldens, the schemas and what is refused."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import TypeAdapter, ValidationError

from export.files import write_json
from export.manifest import read_manifest, read_reference
from export.schema import drifted, render
from models.errors import UserError
from scripts.records import (
    FAILURE_CLASS,
    FailureKind,
    RunRecord,
    RunRequest,
    read_finished_record,
    read_record,
    read_request,
    synthetic_token,
    write_done,
    write_record,
)  # fmt: skip
from scripts.records.schema import FOLDER, SCHEMAS
from tests.export.test_schema import open_objects

GOLDEN = Path(__file__).parents[2] / "golden"


def _load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_build", GOLDEN / "build.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


builder = _load_builder()


@pytest.mark.parametrize("name", builder.GOLDENS)
def test_goldens_are_what_the_models_write_and_read(name: str) -> None:
    model = builder.GOLDENS[name]
    text = (GOLDEN / name).read_text(encoding="utf-8")
    assert text == model.model_dump_json(by_alias=True, indent=1) + "\n"
    assert TypeAdapter(type(model)).validate_json(text) == model


def test_golden_artifact_is_readable() -> None:
    assert read_manifest(GOLDEN).pair == "tiny"
    assert read_reference(GOLDEN).family == "transformer"


def test_schemas_are_up_to_date_and_refuse_unknown_keys() -> None:
    assert drifted(FOLDER, SCHEMAS) == []
    for name, adapter in SCHEMAS.items():
        assert open_objects(render(name, adapter)) == [], name


def test_every_failure_has_a_class() -> None:
    assert set(FAILURE_CLASS) == set(FailureKind)


def test_synthetic_tokens_are_splitmix64() -> None:
    # The first outputs of SplitMix64 with seed 0 are E220A8397B1DCDAF, 6E789E6AA1B965F4, 06C45D188009454F.
    outputs = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)
    assert [synthetic_token(0, i, 2**63) for i in range(3)] == [value >> 1 for value in outputs]
    assert [synthetic_token(7, i, 32000) for i in range(4)] == [11243, 5902, 28673, 16101]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run_id": "../up"}, "run_id: String should match"),
        (
            {"protocol": {"contexts": [512, 0]}},
            "protocol.contexts: Value error, must be one or more numbers in",
        ),
        ({"protocol": {"num_threads": 0}}, "protocol.num_threads: Input should be greater than or equal to 1"),
        ({"schema": "deepnarrow/run-request/2"}, "schema: Input should be 'deepnarrow/run-request/1'"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"protocol": {"backend": "npu"}}, "protocol.backend: Input should be 'default', 'cpu'"),
    ],
)
def test_bad_requests_are_refused_in_one_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"schema": "deepnarrow/run-request/1", "run_id": "r", **change}))
    with pytest.raises(UserError, match=r"job\.json") as caught:
        read_request(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_oversized_requests_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UserError, match="at most 1048576 are read"):
        read_request(path)


def test_a_finished_record_is_held_to_its_hash(tmp_path: Path) -> None:
    record: RunRecord = builder.COMPLETED
    write_record(record, tmp_path)
    with pytest.raises(UserError, match=r"done\.json: no such file"):
        read_finished_record(tmp_path)
    write_done(record.run_id, tmp_path)
    assert read_finished_record(tmp_path) == record
    assert read_record(tmp_path / "record.json").valid
    write_json(builder.PARITY, tmp_path / "record.json")
    with pytest.raises(UserError, match="its hash is not the one"):
        read_finished_record(tmp_path)


def test_a_step_that_took_no_time_is_refused() -> None:
    record = json.loads((GOLDEN / "record_completed.json").read_text())
    record["decode"][0]["forward_ns"][0] = 0
    with pytest.raises(ValidationError, match="no call takes 0 ns"):
        RunRecord.model_validate_json(json.dumps(record))


def test_defaults_of_a_request_fit_the_default_context() -> None:
    assert RunRequest(schema="deepnarrow/run-request/1", run_id="r").protocol.positions == 640
