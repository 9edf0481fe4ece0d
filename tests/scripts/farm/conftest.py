"""What the tests of the farm's logic share."""

import tempfile
from pathlib import Path

import pytest

from export.manifest import Manifest, read_manifest
from scripts.farm.campaign import Campaign
from scripts.farm.plan import ArtifactFolder, planned_artifacts
from scripts.records import RunRecord, read_record
from tests.scripts.farm.doubles import SMALL

GOLDEN = Path(__file__).parents[2] / "golden" / "record_completed.json"


@pytest.fixture(autouse=True)
def own_machine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks and runs of a test, and of the processes it starts, are apart from everything else on this machine."""
    folder = tmp_path_factory.mktemp("machine")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture
def golden() -> RunRecord:
    """A completed record with every part."""
    return read_record(GOLDEN)


@pytest.fixture
def campaign(tiny_artifacts: Path) -> Campaign:
    """Both arms of tiny on ONNX, three repetitions."""
    return Campaign.model_validate(
        {"name": "test", "artifacts_folder": tiny_artifacts, "pairs": ["tiny"], "targets": ["onnx"], "repetitions": 3,
         "protocol": SMALL, "devices": [["kind:phone"]], "start_limits": {"wait_s": 0}}
    )  # fmt: skip


@pytest.fixture
def artifacts(campaign: Campaign) -> list[ArtifactFolder]:
    """Of `campaign`."""
    return planned_artifacts(campaign)


@pytest.fixture(scope="session")
def artifact(tiny_artifacts: Path) -> tuple[Path, Manifest]:
    """The deep arm of tiny for ONNX Runtime."""
    folder = next(path.parent for path in sorted(tiny_artifacts.rglob("manifest.json")) if "onnx" in str(path))
    return folder, read_manifest(folder)
