"""How every command ends, and the one program that has them all."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer

from export.console import Verbosity, print_json, run_app, say_progress, set_verbosity
from export.files import write_text, written_whole
from models.errors import UserError
from scripts import deepnarrow

ROOT = Path(__file__).parents[2]
FORMS = (
    "export", "scripts.farm", "scripts.analysis", "scripts.report", "scripts.host", "scripts.bench",
    "scripts.bench.farm", "scripts.claims.seed_article", "scripts.claims.training.probe",
    "scripts.testing.android.fake_phone", "scripts.deepnarrow",
)  # fmt: skip

NO_FOLDER = "no-such: no such folder; give a folder of records, such as results/"


def start(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )


def app_that(error: BaseException) -> typer.Typer:
    app = typer.Typer()

    @app.command()
    def fail(as_json: bool = typer.Option(False, "--json")) -> None:  # pyright: ignore[reportUnusedFunction]
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("--n 0: must be above 0"), 2, "error: --n 0: must be above 0"),
        (FileNotFoundError(2, "No such file or directory", "x.json"), 1, "error: no such file or directory: x.json"),
        (OSError(28, "No space left on device"), 1, "error: no space left on device"),
        (OSError("adb is gone"), 1, "error: adb is gone"),
        (KeyboardInterrupt(), 130, "interrupted; what is finished is kept, run the same command again to go on"),
        (typer.Exit(3), 3, None),
    ],
)
def test_every_end_is_one_line_and_a_code(
    error: BaseException, code: int, line: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(app_that(error), "try", []) == code
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"{line}\n" if line else "")
    assert run_app(app_that(error), "try", ["--json"]) == code
    printed = capsys.readouterr().out
    assert (json.loads(printed) if line else printed) == ({"error": line, "exit_code": code} if line else "")


def test_a_defect_of_ours_is_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        run_app(app_that(ZeroDivisionError()), "try", [])


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_option_is_one_plain_line(form: str) -> None:
    done = start(form, "--no-such-option")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no such option: --no-such-option")
    assert "--help" in line


@pytest.mark.parametrize("name", list(deepnarrow._ENTRIES))  # pyright: ignore[reportPrivateUsage]
def test_the_program_has_each_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert deepnarrow.main([name, "--help"]) == 0
    assert f"deepnarrow {name} " in capsys.readouterr().out


def test_the_program_names_its_commands_without_importing_them() -> None:
    modules = "torch", "numpy", "pydantic", "executorch", "onnxruntime", "scripts.farm.cli", "export.cli"
    code = (
        "import sys; from scripts.deepnarrow import main; code = main(['--help'])\n"
        f"print('imported', [name for name in {modules!r} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "imported []"
    for name in deepnarrow._ENTRIES:  # pyright: ignore[reportPrivateUsage]
        assert name in done.stdout


def test_a_harness_and_a_phone_start_without_drawing_tables() -> None:
    for module in ("scripts.host.cli", "scripts.testing.android.fake_phone"):
        code = f"import sys, {module}; sys.exit('rich' in sys.modules or 'torch' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["no-such"], 2, "error: no such command 'no-such'; see: deepnarrow --help"),
        (["-q", "-v", "quick", "tiny"], 2, "error: --quiet and --verbose exclude each other"),
        (["quick", "no-such"], 2, "error: pair no-such: not one of tiny, mobilellm-125m, mobilellm-350m"),
        (["analyse", "metrics", "no-such"], 2, f"error: {NO_FOLDER}"),
        (["claims", "no-such"], 2, f"error: {NO_FOLDER}"),
    ],
)  # fmt: skip
def test_the_program_refuses_in_one_line(
    words: list[str], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadPoolExecutor(1) as fresh:  # a browser of another test may have left an event loop in this thread
        assert fresh.submit(deepnarrow.main, words).result() == code
    assert capsys.readouterr().err == f"{line}\n"


def test_the_program_completes_words_of_its_commands() -> None:
    for words, expected in (
        ("deepnarrow fa", {"farm"}),
        ("deepnarrow farm pl", {"plan"}),
        ("deepnarrow quick --rep", {"--repetitions"}),
    ):
        environment = {
            **os.environ, "_DEEPNARROW_COMPLETE": "complete_bash", "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "scripts.deepnarrow"], cwd=ROOT, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert set(done.stdout.split()) == expected, done.stderr


def test_verbose_adds_the_traceback_and_quiet_takes_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEEPNARROW_VERBOSITY", Verbosity.NORMAL)  # put back at the end
    set_verbosity(Verbosity.QUIET)
    say_progress("[1/2] exporting")
    assert capsys.readouterr().err == ""
    set_verbosity(Verbosity.VERBOSE)
    assert run_app(app_that(OSError("gone")), "try", []) == 1
    told = capsys.readouterr().err
    assert told.startswith("Traceback")
    assert told.endswith("error: gone\n")


def test_an_unknown_verbosity_is_refused() -> None:
    environment = {**os.environ, "DEEPNARROW_VERBOSITY": "loud"}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.deepnarrow", "export", "all", "--pair", "tiny", "--target", "onnx", "--out",
         "/nonexistent/out"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "error: DEEPNARROW_VERBOSITY=loud: not one of quiet, normal, verbose\n"


def test_an_interrupt_of_the_process_is_130(tmp_path: Path) -> None:
    jar = tmp_path / "no.jar"
    jar.touch()
    phone = subprocess.Popen(
        [sys.executable, "-m", "scripts.testing.android.fake_phone", "--root", str(tmp_path / "phones"),
         "--harness-jar", str(jar), "--port", "17999"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert phone.stdout is not None
    assert phone.stdout.readline().startswith("ready ")
    time.sleep(0.1)
    phone.send_signal(signal.SIGINT)
    _, errors = phone.communicate(timeout=120)
    assert phone.returncode == 130
    assert errors.startswith("interrupted")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    with written_whole(path, durable=True) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1, None], "path": Path("x")})
    assert capsys.readouterr().out == '{"a":[1,null],"path":"x"}\n'
