"""Every command that README and docs/ name is tried: run where it takes seconds on tiny networks, else read.

*Run* means that the command itself is carried out, in a folder that holds what it needs on a small scale. *Read* means
that the real program takes its words: an unknown command, option, choice or a missing argument fails.
"""

import contextlib
import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand

from export.console import run_app
from models.pair import Arm
from scripts import deepnarrow
from scripts.bench.layout import HUGGINGFACE_FOLDER
from scripts.bench.peers import plan_checkpoint, write_checkpoint
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    sweep_networks,
    write_results,
)

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PROGRAMS = ("deepnarrow", "python", "python3", "make", "java", "source", "pip")
# Commands that are read only, and why. All others in README's blocks are run.
TOO_LONG = {
    ("scripts.claims.seed_article",): "minutes of measuring",
    ("scripts.claims.training.probe",): "minutes of training",
    ("scripts.bench",): "measures for minutes",
    ("scripts.bench.farm",): "measures for minutes",
    ("farm", "worker"): "serves until it is stopped",
    ("scripts.testing.android.fake_phone",): "serves until it is stopped",
    ("farm", "run", "--scheduler"): "needs a cluster",
}
FENCE = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:deepnarrow|make|python -m) [^`\n]+)`")


def in_blocks(page: Path) -> list[str]:
    """The commands of a page's shell blocks; of docs/ the indented ones, too."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in FENCE.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    if page != README:
        lines += [line.strip() for line in text.replace("\\\n", " ").splitlines()
                  if re.match(r" {4}(deepnarrow|python -m|make) ", line)]  # fmt: skip
    parts = (part for line in lines for part in re.split(r"\s&&\s", line))
    return [command for part in parts if (command := shlex.join(shlex.split(part, comments=True)))]


def inline(page: Path) -> list[str]:
    """The commands in a page's sentences and tables; these may leave arguments out, and name several at once by `|`."""
    found: list[str] = []
    for command in INLINE.findall(page.read_text(encoding="utf-8")):
        words = [word for word in command.split() if word not in ("...", "&&")]
        found += [" ".join(each) for each in itertools.product(*(word.split("|") for word in words))]
    return found


# Programs that take no words.
WITHOUT_OPTIONS = ("tests.golden.build_verdicts",)


def words_of(command: str) -> tuple[str, list[str]]:
    """The program's module and its arguments: `deepnarrow farm run x` gives `scripts.deepnarrow`, [farm, run, x]."""
    first, *rest = shlex.split(command)
    program = Path(first).name
    assert program in PROGRAMS, f"{command}: this test does not know the program {first}"
    if program == "deepnarrow":
        return "scripts.deepnarrow", rest
    if program.startswith("python") and rest[:1] == ["-m"]:
        return rest[1], rest[2:]
    return program, rest


def app_of(module: str) -> typer.Typer:
    if module == "scripts.deepnarrow":
        return deepnarrow.app
    try:
        found = import_module(module)
        return found.app if hasattr(found, "app") else import_module(f"{module}.cli").app
    except ModuleNotFoundError as error:
        raise AssertionError(f"python -m {module}: {error}") from error


def read(command: str, complete: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the real program take the words, without carrying the command out."""
    module, arguments = words_of(command)
    if module == "make":
        done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
    elif module == "java":
        assert arguments[0] == "-jar", command
        assert (ROOT / arguments[1]).parents[1].is_dir(), command
    elif module == "source":
        assert arguments == [".venv/bin/activate"], command
    elif module == "venv":
        assert arguments == [".venv"], command
    elif module == "pip":
        assert arguments[0] == "install", command
        named = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = named["optional-dependencies"]
        known = {each for group in extras.values() for each in group}
        clone = re.search(r"(?:^| )(?:-e|--editable) \.\[([\w,]+)\]$", " ".join(arguments))
        wanted, allowed = (clone[1].split(","), extras) if clone else ([w for w in arguments[1:] if "==" in w], known)
        assert wanted, command
        assert set(wanted) <= set(allowed), command
    elif module in ("python", "python3"):
        assert (ROOT / arguments[0]).is_file(), command
    elif module in WITHOUT_OPTIONS:
        assert arguments == [], command
        assert callable(import_module(module).main), command
    else:
        _take(module, arguments, command, complete, monkeypatch)


def _take(module: str, arguments: list[str], command: str, complete: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = io.StringIO()
    with monkeypatch.context() as patch, contextlib.redirect_stderr(errors), contextlib.redirect_stdout(io.StringIO()):
        patch.setattr(TyperCommand, "invoke", lambda *_: None)
        code = run_app(app_of(module), "try", arguments)
    told = errors.getvalue()
    if not complete and (told.startswith("error: missing") or (code == 2 and not told)):
        return  # a sentence names the command, not its arguments
    assert code == 0, f"{command}: {told}"


def pages() -> list[Path]:
    return [
        page for page in [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))] if page.is_file()
    ]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_every_documented_command_exists_with_its_options(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in in_blocks(page):
        if shlex.split(command)[0] in PROGRAMS or page == README:
            read(command, complete=True, monkeypatch=monkeypatch)
    for command in inline(page):
        read(command, complete=False, monkeypatch=monkeypatch)


@pytest.mark.parametrize(
    "command",
    [
        "deepnarrow no-such", "deepnarrow farm run x.toml --no-such", "make no-such", "no-such",
        "deepnarrow export all --coreml-attention no-such", "python -m scripts.analysis recommend results",
        "pip install 'torch==1.0'", "pip install -e '.[no-such]'", "pip install deepnarrow",
    ],
)  # fmt: skip
def test_a_command_that_is_wrong_is_found(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        read(command, complete=True, monkeypatch=monkeypatch)


@pytest.fixture(scope="module")
def workplace(tiny_artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What README's commands find: artifacts, records, campaign files and checkpoints, all small."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(tiny_artifacts, folder / "artifacts")
    networks = [*pair_networks("mobilellm-125m"), *sweep_networks()]
    records = generate_records([GeneratedDevice()], networks, Campaign(name="nightly", repetitions=5))
    write_results(records, folder / "results")
    carry_out(folder, "scripts.farm", ["reindex"])
    for file in (ROOT / "campaigns").glob("*.toml"):
        place = folder / "campaigns" / file.name
        place.parent.mkdir(exist_ok=True)
        place.write_text(_small(file.read_text(encoding="utf-8"), folder), encoding="utf-8")
    for arm, name in ((Arm.DEEP, "DIR_A"), (Arm.WIDE, "DIR_B")):
        made = plan_checkpoint("tiny", arm, 64, folder / f"made-{name}")
        write_checkpoint(made)
        (folder / name).symlink_to(made.folder / HUGGINGFACE_FOLDER)
    return folder


def _small(campaign: str, folder: Path) -> str:
    """A shipped campaign file with the same keys, for the pair `tiny` on this machine."""
    small = {
        "artifacts_folder": f'"{folder / "artifacts"}"', "pairs": '["tiny"]', "targets": '["onnx"]',
        "schemes": '["int4"]', "devices": '[["kind:host"]]', "repetitions": "2", "num_threads": "1",
        "prompt_lengths": "[8]", "contexts": "[0, 16]", "decode_steps": "4",
    }  # fmt: skip
    for key, value in small.items():
        campaign = re.sub(rf"^{key} = .*$", f"{key} = {value}", campaign, flags=re.MULTILINE)
    return campaign


def carry_out(folder: Path, module: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        timeout=600, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def is_run(module: str, arguments: list[str]) -> bool:
    """Whether it is one of ours and takes seconds."""
    if "." not in module and module != "export":
        return False
    words = arguments if module == "scripts.deepnarrow" else [module, *arguments]
    return not any(words[:1] == [entry[0]] and set(entry) <= set(words) for entry in TOO_LONG)


def smaller(module: str, arguments: list[str], folder: Path) -> list[str]:
    """The same command at the size of a test, through its own options."""
    words = [name for word in arguments for name in (sorted(map(str, folder.glob(word))) if "*" in word else [word])]
    if "quick" in words:
        return ["tiny" if word == "mobilellm-125m" else word for word in words] + ["--repetitions", "2", "--no-tty"]
    exporting = words if module == "export" else words[1:] if words[0] == "export" else [""]
    return [*words, "--dry-run"] if exporting[0] in ("all", "sweep") else words


def test_readme_commands_run_in_their_order(workplace: Path) -> None:
    """Those of its blocks; what is not run here is read in `test_every_documented_command_exists_with_its_options`."""
    ran = 0
    for command in in_blocks(README):
        module, arguments = words_of(command)
        if is_run(module, arguments):
            done = carry_out(workplace, module, smaller(module, arguments, workplace))
            assert done.returncode == 0, f"{command}\n{done.stderr}\n{done.stdout}"
            ran += 1
    assert ran >= 3  # README without commands would pass
