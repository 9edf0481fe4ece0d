#!/usr/bin/env bash
# Builds and tests the Swift package: with the system's Swift, else in a Debian 13 root (swift_root.sh). Says what it could not do.
#   PYTHON=PATH   the project's interpreter, whose wheels bring the runtimes; default .venv/bin/python
#   DEEPNARROW_ARTIFACTS=DIR   the exported tiny pair, under the repository's folder; default build/tiny-artifacts, made if it is not there
set -euo pipefail
cd "$(dirname "$0")/../.."
python="${PYTHON:-.venv/bin/python}"
runtimes="$PWD/build/swift-runtime"
artifacts="${DEEPNARROW_ARTIFACTS:-$PWD/build/tiny-artifacts}"

# ONNX Runtime's and ExecuTorch's C and C++ libraries, out of the wheels, under build/ where the root sees them.
copy_runtimes() {
  local onnx executorch versions
  versions="$("$python" -c 'from importlib.metadata import version; print(version("onnxruntime"), version("executorch"))')"
  [ "$(cat "$runtimes/versions.txt" 2>/dev/null)" != "$versions" ] || return 0
  onnx="$("$python" -c 'import importlib.util as u; print(u.find_spec("onnxruntime").submodule_search_locations[0])')"
  executorch="$("$python" -c 'import importlib.util as u; print(u.find_spec("executorch").submodule_search_locations[0])')"
  rm -rf "$runtimes"
  mkdir -p "$runtimes/onnxruntime" "$runtimes/executorch"
  cp "$onnx"/capi/libonnxruntime.so.1.* "$runtimes/onnxruntime/libonnxruntime.so.1"
  ln -s libonnxruntime.so.1 "$runtimes/onnxruntime/libonnxruntime.so"
  cp -r "$executorch/include" "$executorch/lib" "$runtimes/executorch/"
  printf %s "${versions#* }" >"$runtimes/executorch/version.txt"
  echo "$versions" >"$runtimes/versions.txt"
}

if command -v swift >/dev/null && [ -e /usr/include/onnxruntime/onnxruntime_c_api.h ]; then
  inside() { "$@"; }
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  case "$(realpath -m "$artifacts")" in
    "$PWD"/*) ;;
    *) echo "test.sh: DEEPNARROW_ARTIFACTS '$artifacts' must be a folder in $PWD, which is all that the Debian root sees" >&2; exit 2 ;;
  esac
  start=$SECONDS
  bash ios_app/ci/swift_root.sh make || { echo "skipped: the Swift package (no Swift here, and no Debian 13 root with it could be made)"; exit 0; }
  echo "swift root: $((SECONDS - start)) s"
  inside() { bash ios_app/ci/swift_root.sh run "$@"; }
else
  echo "skipped: the Swift package (needs Swift 6, or root and debootstrap to make a Debian 13 root)"
  exit 0
fi
[ "$(uname)" != Linux ] || copy_runtimes
if [ ! -e "$artifacts/index.json" ]; then
  "$python" -m export all --pair tiny --scheme int4 --target onnx,executorch --out "$artifacts" >/dev/null
fi
# One set of flags for build and test, or everything is compiled twice.
flags=(--package-path ios_app --scratch-path build/swift -debug-info-format none)
settings=(ONNXRUNTIME_DIR="$runtimes/onnxruntime" EXECUTORCH_DIR="$runtimes/executorch" DEEPNARROW_ARTIFACTS="$artifacts" SWIFT_BACKTRACE=enable=no)
swift_() { inside env "${settings[@]}" swift "$@"; }
start=$SECONDS
swift_ build "${flags[@]}" --build-tests
echo "swift build: $((SECONDS - start)) s"
start=$SECONDS
swift_ test "${flags[@]}" --skip-build --disable-xctest
echo "swift test: $((SECONDS - start)) s"
start=$SECONDS
DEEPNARROW_ARTIFACTS="$artifacts" "$python" -m pytest -q -rs tests/scripts/ios_app tests/scripts/farm/android/test_with_an_iphone.py
echo "python tests of the Swift command: $((SECONDS - start)) s"
