"""Plays the harness app for tests of the farm: it measures nothing, and its record is the golden one.

Started like the desktop harness: `run --artifact DIR --request FILE --out DIR --device-json FILE`. Imports little, so
that a test which needs several runs stays fast.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

GOLDEN = Path(__file__).parents[3] / "golden" / "record_completed.json"
STAGES = ("environment", "load", "decode", "sustained")
STAGE_S = 0.2


def main(words: list[str]) -> int:
    options = dict(zip(words[1::2], words[2::2], strict=True))
    request = json.loads(Path(options["--request"]).read_text())
    record = json.loads(GOLDEN.read_text()) | {"request": request}
    folder = Path(options["--out"]) / request["run_id"]
    folder.mkdir(parents=True)
    file = folder / "record.json"
    for stage in STAGES:
        file.write_text(json.dumps(record | {"outcome": {"kind": "running", "stage": stage}}))
        print(json.dumps({"stage": stage, "done": 0, "total": 1}), flush=True)
        time.sleep(STAGE_S)
    file.write_text(json.dumps(record))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    done = {"schema": "deepnarrow/done/1", "run_id": request["run_id"], "record_sha256": digest}
    (folder / "done.json").write_text(json.dumps(done))
    print(json.dumps({"run_id": request["run_id"], "outcome": "completed", "record": str(file), "message": None}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
