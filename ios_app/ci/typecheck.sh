#!/usr/bin/env bash
# Type-checks on Linux the code that only Apple's systems run, against the stand-ins in stubs/, and proves that it would find mistakes.
#   typecheck.sh          uses swiftc of the path, else the root that swift_root.sh made; says so and ends with 0 where there is neither
set -euo pipefail
app="$(cd "$(dirname "$0")/.." && pwd)"
if ! command -v swiftc >/dev/null; then
  if bash "$app/ci/swift_root.sh" path >/dev/null 2>&1; then exec bash "$app/ci/swift_root.sh" run bash "$app/ci/typecheck.sh"; fi
  echo "skipped: the type check of the iOS app (needs swiftc, or the root of ios_app/ci/swift_root.sh)"
  exit 0
fi
out="$(dirname "$app")/build/typecheck"
rm -rf "$out"
mkdir -p "$out/modules" "$out/planted"
sources="$app/Sources"

# C modules, as SwiftPM would make them.
for name in CProbe CThreads CExecuTorch; do
  for header in "$sources/$name/include/"*.h; do
    [ -e "$header" ] || continue
    [ -e "$sources/$name/include/module.modulemap" ] && maps="${maps:-} $sources/$name/include/module.modulemap" && continue
    printf 'module %s { header "%s" export * }\n' "$name" "$header" >"$out/$name.modulemap"
    maps="${maps:-} $out/$name.modulemap"
  done
done
[ -e "$sources/COnnx/module.modulemap" ] && maps="${maps:-} $sources/COnnx/module.modulemap"
flags=(-swift-version 6 -parse-as-library -I "$out/modules")
for map in ${maps:-}; do flags+=(-Xcc "-fmodule-map-file=$map"); done

# module NAME FOLDER: type-checks a folder and leaves its interface for those that import it.
module() { swiftc "${flags[@]}" -emit-module -module-name "$1" -o "$out/modules/$1.swiftmodule" $(find "$2" -name '*.swift'); }
# check NAME FOLDER: type-checks a folder that nothing imports.
check() { swiftc "${flags[@]}" -typecheck -module-name "$1" $(find "$2" -name '*.swift'); }

if grep -rnE '#(else)?if .*os\((iOS|macOS)\)' "$sources/HarnessUI" "$sources/HarnessScreens" "$sources/CoreMLEngine" "$sources/AppleDevice" "$app/App" "$app/UITests"; then
  echo "typecheck.sh: use canImport in place of os(iOS), which is skipped here" >&2
  exit 1
fi
for stub in UniformTypeIdentifiers CoreTransferable os UIKit SwiftUI CoreML XCTest; do module "$stub" "$app/stubs/$stub"; done
module HotLoops "$sources/HotLoops"
module HarnessCore "$sources/HarnessCore"
for name in HarnessScreens HarnessUI CoreMLEngine OnnxEngine ExecuTorchEngine; do module "$name" "$sources/$name"; done
# With a Darwin in sight all of AppleDevice is checked; the others must keep taking Linux for what it is.
mkdir -p "$out/darwin"
swiftc "${flags[@]}" -emit-module -module-name Darwin -o "$out/darwin/Darwin.swiftmodule" "$app/stubs/Darwin/Darwin.swift"
flags+=(-I "$out/darwin")
module AppleDevice "$sources/AppleDevice"
check DeepNarrowHarness "$app/App"
check DeepNarrowUITests "$app/UITests"
# Every branch must at least be Swift, also those of Apple's systems that no stand-in covers.
for file in $(find "$sources" "$app/App" "$app/UITests" -name '*.swift'); do swiftc -frontend -parse -target arm64-apple-ios18.0 "$file"; done
echo "the iOS app type-checks against the stand-ins"

# planted NAME FOLDER FILE OLD NEW MESSAGE: with OLD replaced by NEW in a copy of the folder the check must fail and say MESSAGE.
planted() {
  local name="$1" folder="$2" file="$3" old="$4" new="$5" message="$6"
  local copy="$out/planted/$name"
  cp -r "$folder" "$copy"
  OLD="$old" NEW="$new" perl -0pi -e 's/\Q$ENV{OLD}\E/$ENV{NEW}/ or die "the text to change is not there\n"' "$copy/$file"
  if swiftc "${flags[@]}" -typecheck -module-name Planted $(find "$copy" -name '*.swift') >"$copy.log" 2>&1; then
    echo "typecheck.sh: planted mistake not found: $name" >&2
    exit 1
  fi
  grep -qF "$message" "$copy.log" || { echo "typecheck.sh: planted mistake $name gave another error:" >&2; grep error: "$copy.log" >&2; exit 1; }
  echo "found: $name"
}
ui="$sources/HarnessUI"
planted misspelled-member "$ui" PageView.swift '.navigationTitle(page.title)' '.navigationTitel(page.title)' "has no member 'navigationTitel'"
planted wrong-type "$ui" PlotView.swift '.frame(height: drawing.height)' '.frame(height: plot.description)' "cannot convert value of type 'String'"
planted no-view "$ui" PageView.swift 'case .badge(let badge): BadgeView(badge: badge)' 'case .badge(let badge): badge' "conform to 'View'"
planted missing-case "$ui" HarnessView.swift 'case .results(let group): results(group)' '' "switch must be exhaustive"
planted wrong-binding "$ui" HistoryView.swift 'selection: $model.filter.kind' 'selection: model.filter.kind' "'HistoryFilter.Kind' to expected argument type 'Binding"
planted missing-try "$sources/CoreMLEngine" CoreMLRuntime.swift 'try self.model.prediction(' 'self.model.prediction(' "not marked with 'try'"
planted missing-await "$sources/CoreMLEngine" ComputePlan.swift 'try await MLComputePlan.load(' 'try MLComputePlan.load(' "not marked with 'await'"
planted isolation "$app/App" HarnessApp.swift 'UIApplication.shared.isIdleTimerDisabled = true' \
  'Task.detached { UIApplication.shared.isIdleTimerDisabled = true }' "main actor-isolated"
planted device-member "$sources/AppleDevice" Foreground.swift 'device.batteryLevel' 'device.batteryLevels' "has no member 'batteryLevels'"
planted device-isolation "$sources/AppleDevice" Foreground.swift '@MainActor private func readBattery' 'private func readBattery' "main actor-isolated"
planted ui-test-member "$app/UITests" RunTests.swift 'record.waitForExistence(' 'record.waitForExistance(' "has no member 'waitForExistance'"
