"""Campaign files: every mistake is one line with file, line, key and choices."""

from pathlib import Path

import pytest

from models.errors import UserError
from scripts.farm.campaign import read_campaign

GOOD = """\
name = "nightly"
pairs = ["tiny"]
artifacts_folder = "made"
devices = [["os:android", "lab-2"], ["kind:host"]]

[protocol]
num_threads = 2
contexts = [0, 64]

[labels]
lab-2 = ["SERIAL"]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "campaign.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_file(tmp_path: Path) -> None:
    campaign = read_campaign(write(tmp_path, GOOD))
    assert campaign.repetitions == 5
    assert campaign.artifacts_folder == tmp_path / "made"
    assert campaign.protocol.contexts == (0, 64)
    assert campaign.selects(frozenset({"os:android", "lab-2", "soc:x"}))
    assert campaign.selects(frozenset({"Kind:Host"}))
    assert not campaign.selects(frozenset({"os:android"}))
    assert campaign.discovery_options().labels_of("SERIAL") == {"lab-2"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('name = "nightly"', "name = ", "at line 1"),
        ("num_threads = 2", "num_threads = 0", ":7: protocol.num_threads: "),
        (
            "num_threads = 2",
            "threads = 2",
            ":7: protocol.threads: unknown key; known here: backend, contexts",
        ),
        (
            "contexts = [0, 64]",
            "contexts = [64, 0]",
            ":8: protocol.contexts: must be one or more numbers in",
        ),
        ('pairs = ["tiny"]', 'pair = ["tiny"]', ":2: pair: unknown key; known here: artifacts, artifacts_folder"),
        ('pairs = ["tiny"]', "", "pairs or artifacts must name something"),
        ('pairs = ["tiny"]', 'pairs = ["tiny"]\ntargets = ["tflite"]', ":3: targets.0: "),
        ('pairs = ["tiny"]', 'pairs = ["tiny"]\ntargets = ["tflite"]', "'executorch', 'onnx' or 'coreml'"),
        ('name = "nightly"', 'name = "a/b"', ":1: name: "),
        ('name = "nightly"', 'nmae = "nightly"', ":1: nmae: unknown key; known here: artifacts, artifacts_folder"),
        ("num_threads = 2", "probe = {size = 1}", ":7: protocol.probe.size: unknown key; known here: buffer_bytes, "),
        ('lab-2 = ["SERIAL"]', 'lab-2 = "SERIAL"', ":11: labels.lab-2: Input should be a valid list, not 'SERIAL'"),
        ("num_threads = 2", 'backend = "npu"', "'cpu-and-neural-engine' or 'all', not 'npu'"),
        ("[labels]", "[discovery]\nadb_servers = ['lab']\n[labels]", ":11: discovery.adb_servers.0: "),
        ('[["os:android", "lab-2"], ["kind:host"]]', "[]", ":4: devices: must be one or more lists of tags"),
    ],
)
def test_mistakes(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        read_campaign(write(tmp_path, GOOD.replace(old, new)))
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert str(tmp_path / "campaign.toml") in str(error.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_campaign(tmp_path / "none.toml")
