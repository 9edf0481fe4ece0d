#!/usr/bin/env bash
# The Swift desktop command as it is measured: build/swift/release/deepnarrow-harness. After test.sh, which makes the root and the runtimes.
set -euo pipefail
cd "$(dirname "$0")/../.."
settings=(ONNXRUNTIME_DIR="$PWD/build/swift-runtime/onnxruntime" EXECUTORCH_DIR="$PWD/build/swift-runtime/executorch")
inside=(bash ios_app/ci/swift_root.sh run)
! command -v swift >/dev/null || inside=()
"${inside[@]}" env "${settings[@]}" swift build -c release --product deepnarrow-harness --package-path ios_app --scratch-path build/swift \
  -debug-info-format none
