#!/usr/bin/env bash
# Merges the app's manifest with that of a library that asks for everything, by the Android plugin's own merger (an old one: 25.3.0 is
# the newest on Maven Central), and holds the result to the promise that the app asks for no permission, the internet
# among them. The same merge without our tools:node lines must break the promise, or the check is not to be trusted.
set -euo pipefail
cd "$(dirname "$0")"
jars=target/merger-jars
work=target/merged
[ -f "$jars/manifest-merger-25.3.0.jar" ] || mvn -B -q -f manifest_merger_pom.xml \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$PWD/$jars"
mkdir -p $work
cat >$work/library.xml <<'XML'
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="a.library">
    <uses-sdk android:minSdkVersion="21" android:targetSdkVersion="35" />
    <uses-permission android:name="android.permission.INTERNET" />
    <uses-permission android:name="android.permission.ACCESS_NETWORK_STATE" />
    <uses-permission-sdk-23 android:name="android.permission.READ_PHONE_STATE" />
    <permission android:name="a.library.DYNAMIC_RECEIVER_NOT_EXPORTED_PERMISSION" />
    <application>
        <provider android:name="androidx.startup.InitializationProvider" android:authorities="a.library.androidx-startup" android:exported="false" />
        <receiver android:name="androidx.profileinstaller.ProfileInstallReceiver" android:exported="true" />
    </application>
</manifest>
XML
merge() { # MAIN OUT
    java -cp "$jars/*" com.android.manifmerger.Merger --main "$1" --libs $work/library.xml --out "$2" --remove-tools-declarations true \
        --property MIN_SDK_VERSION=28 --property TARGET_SDK_VERSION=35 \
        --placeholder executorchVersion=1 --placeholder applicationId=dev.deepnarrow.harness >$work/log 2>&1 && [ -s "$2" ] ||
        { cat $work/log >&2; exit 1; }
}
# What Android would read: the elements, without the merger's own instructions that this version leaves in place.
elements() {
    python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as tree
android, tools = "{http://schemas.android.com/apk/res/android}", "{http://schemas.android.com/tools}"
for element in tree.parse(sys.argv[1]).iter():
    if tools + "node" not in element.attrib:
        print(element.tag, element.get(android + "name", ""))
PY
}
rm -f $work/merged.xml $work/control.xml
sed 's|<manifest |<manifest package="dev.deepnarrow.harness" |' ../app/src/main/AndroidManifest.xml >$work/main.xml
sed -E '/tools:node="remove(All)?"/d' $work/main.xml >$work/unguarded.xml
merge $work/unguarded.xml $work/control.xml
merge $work/main.xml $work/merged.xml
asked='permission|androidx'
let_in=$(elements $work/control.xml | grep -cE "$asked" || true)
[ "$let_in" -eq 6 ] || { echo "without our guards the merger lets $let_in of 6 things in: the check is not to be trusted" >&2; exit 1; }
if elements $work/merged.xml | grep -E "$asked" >&2; then
    echo "$PWD/$work/merged.xml: the merged manifest has what a library brought in" >&2
    exit 1
fi
elements $work/merged.xml | grep -q RecordProvider || { echo "$work/merged.xml: our own parts are missing" >&2; exit 1; }
echo "manifest: a library that asks for the internet and five other things gets none of them in"
