#!/usr/bin/env bash
# Brings ExecuTorch's Java classes and JNI libraries, as they are inside an npm package, to ci/target. The Maven build compiles
# against them; the Gradle build takes the official AAR. Does nothing if the file is there and has the right hash.
set -euo pipefail
cd "$(dirname "$0")"
version=0.8.5
sha512=32725e77698ed14a7cfa2ce7b08f66021992d593932de0a84916de9844c653568fab7bde89be798a79b5375782af592d92528adb929e53c1f0c35efb24d0dc66
file=react-native-executorch-$version.tgz
check() { echo "$sha512  target/$file" | sha512sum --check --status; }
mkdir -p target
if [ -f "target/$file" ] && check; then exit 0; fi
command -v npm >/dev/null || { echo "npm is not installed; it fetches ExecuTorch's Java classes" >&2; exit 2; }
npm pack --silent --pack-destination target "react-native-executorch@$version" >/dev/null
check || { rm -f "target/$file"; echo "target/$file: its SHA-512 is not $sha512" >&2; exit 2; }
