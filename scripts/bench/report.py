"""How long the page of a large campaign takes and how large it is: `python -m scripts.bench.report`.

The records are generated (1000 runs of 256 tokens unless told otherwise); they are written to a temporary folder, and
the command is timed as a process of its own, reading included. The page should take under 10 s and 15 MB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from export.targets.base import TargetName
from scripts.records import Protocol
from scripts.testing.records.generator import (
    Campaign,
    GeneratedDevice,
    generate_records,
    pair_networks,
    sweep_networks,
    write_results,
)

_SHAPES_OF_SWEEP = 8
_REPETITIONS = 5


def main() -> None:
    """Print one JSON object on the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=10, help="100 runs each")
    parser.add_argument("--tokens", type=int, default=256, help="timed steps at each of two contexts, halved")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = _write(Path(folder) / "results", arguments.devices, arguments.tokens)
        page = Path(folder) / "report.html"
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "scripts.report", str(Path(folder) / "results"), "--out", str(page)], check=True
        )
        seconds = time.perf_counter() - start
        print(json.dumps({"runs": runs, "tokens": arguments.tokens, "seconds": round(seconds, 2),
                          "megabytes": round(page.stat().st_size / 1e6, 2)}))  # fmt: skip


def _write(root: Path, num_devices: int, tokens: int) -> int:
    devices = [GeneratedDevice(device_id=f"fake-{index}") for index in range(num_devices)]
    networks = [*pair_networks("mobilellm-125m"), *sweep_networks()[:_SHAPES_OF_SWEEP]]
    protocol = Protocol(prompt_lengths=(64,), contexts=(0, 512), decode_steps=tokens // 2)
    targets = (TargetName.EXECUTORCH, TargetName.ONNX)
    records = generate_records(
        devices, networks, Campaign(repetitions=_REPETITIONS, protocol=protocol, targets=targets)
    )
    write_results(records, root)
    return len(records)


if __name__ == "__main__":
    main()
