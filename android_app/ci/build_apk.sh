#!/usr/bin/env bash
# An APK without Gradle: aapt2, D8, zipalign and apksigner around the classes that Maven built. It proves that the app dexes, links
# and signs; the Gradle build is the one for phones. It carries ExecuTorch's libraries but not ONNX Runtime's, whose Android build
# is only in an AAR of the Gradle build: this APK runs .pte artifacts only.
#
# usage: ci/build_apk.sh [OUT.apk]     after: mvn -f android_app/pom.xml verify
# Debian: apt-get install aapt zipalign apksigner dexdump
set -euo pipefail
cd "$(dirname "$0")/.."
apk=$(realpath -m "${1:-app/target/deepnarrow-harness-debug.apk}")
for tool in aapt2 zipalign apksigner dexdump; do
    command -v $tool >/dev/null || { echo "$tool is not installed; see the head of this script" >&2; exit 2; }
done
property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" pom.xml; }
min_sdk=$(property android.minSdk)
target_sdk=$(property android.targetSdk)
work=app/target/apk
jars=ci/target/apk-jars
rm -rf $work
mkdir -p $work/dex $work/lib "$(dirname "$apk")"
copy() { # GROUP:ARTIFACT:VERSION[:TYPE] FILE
    [ -f "$jars/$2" ] || mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$1" -DoutputDirectory="$PWD/$jars"
}
kotlin=$(property kotlin.version); serialization=$(property serialization.version); onnxruntime=$(property onnxruntime.version)
nativeloader=$(property nativeloader.version); fbjni=$(property fbjni.version); framework=$(property android-all.version)
copy "com.android.tools:r8:9.5.28" r8-9.5.28.jar
copy "org.jetbrains.kotlin:kotlin-stdlib:$kotlin" "kotlin-stdlib-$kotlin.jar"
copy "org.jetbrains.kotlinx:kotlinx-serialization-json-jvm:$serialization" "kotlinx-serialization-json-jvm-$serialization.jar"
copy "org.jetbrains.kotlinx:kotlinx-serialization-core-jvm:$serialization" "kotlinx-serialization-core-jvm-$serialization.jar"
copy "com.microsoft.onnxruntime:onnxruntime:$onnxruntime" "onnxruntime-$onnxruntime.jar"
copy "com.facebook.soloader:nativeloader:$nativeloader" "nativeloader-$nativeloader.jar"
copy "com.facebook.fbjni:fbjni:$fbjni:aar" "fbjni-$fbjni.aar"
copy "org.robolectric:android-all:$framework" "android-all-$framework.jar"

# ONNX Runtime's jar carries desktop libraries, which are no business of a phone.
unzip -q -o "$jars/onnxruntime-$onnxruntime.jar" 'ai/onnxruntime/*.class' -d $work/onnxruntime
unzip -q -o "$jars/fbjni-$fbjni.aar" -d $work/fbjni
tar -xzf "ci/target/react-native-executorch-$(property react-native-executorch.version).tgz" -C $work \
    package/android/libs/classes.jar package/third-party/android/libs/executorch
(cd $work/onnxruntime && zip -q -r ../onnxruntime.jar ai)
(cd app/target/classes && zip -q -r "$OLDPWD/$work/app.jar" dev)
(cd core/target/classes && zip -q -r "$OLDPWD/$work/core.jar" dev)
java -cp "$jars/r8-9.5.28.jar" com.android.tools.r8.D8 --release --min-api "$min_sdk" \
    --lib "$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")" --lib "$jars/android-all-$framework.jar" --output $work/dex \
    $work/app.jar $work/core.jar $work/onnxruntime.jar $work/package/android/libs/classes.jar $work/fbjni/classes.jar \
    "$jars/kotlin-stdlib-$kotlin.jar" "$jars/kotlinx-serialization-json-jvm-$serialization.jar" \
    "$jars/kotlinx-serialization-core-jvm-$serialization.jar" "$jars/nativeloader-$nativeloader.jar"

for abi in arm64-v8a x86_64; do
    mkdir -p $work/lib/$abi
    cp $work/package/third-party/android/libs/executorch/$abi/libexecutorch.so $work/fbjni/jni/$abi/lib{fbjni,c++_shared}.so $work/lib/$abi/
done
sed 's|<application|<application android:debuggable="true" android:extractNativeLibs="true"|' app/target/AndroidManifest.xml >$work/AndroidManifest.xml
aapt2 compile --dir app/src/main/res -o $work/res.zip
aapt2 link -I app/target/framework.apk --manifest $work/AndroidManifest.xml -o $work/unaligned.apk \
    --min-sdk-version "$min_sdk" --target-sdk-version "$target_sdk" $work/res.zip 2>$work/aapt2.log || { cat $work/aapt2.log >&2; exit 1; }
(cd $work/dex && zip -q ../unaligned.apk classes*.dex)
(cd $work && zip -q -r unaligned.apk lib)
zipalign -f 4 $work/unaligned.apk $work/aligned.apk
keystore=ci/target/debug.p12
[ -f $keystore ] || keytool -genkeypair -keystore $keystore -storetype PKCS12 -storepass android -keypass android -alias debug \
    -keyalg RSA -keysize 2048 -validity 10000 -dname CN=Debug >/dev/null 2>&1
apksigner sign --ks $keystore --ks-pass pass:android --min-sdk-version "$min_sdk" --out "$apk" $work/aligned.apk

# What an installer would check, and what we promise of the file.
apksigner verify --min-sdk-version "$min_sdk" "$apk"
zipalign -c 4 "$apk"
badging=$(aapt2 dump badging "$apk" 2>/dev/null)
for expected in "package: name='$(property android.namespace)'" "minSdkVersion:'$min_sdk'" "targetSdkVersion:'$target_sdk'" \
    "launchable-activity: name='dev.deepnarrow.harness.HarnessActivity'" "native-code: 'arm64-v8a' 'x86_64'"; do
    grep -qiF "$expected" <<<"${badging/sdkVersion/minSdkVersion}" || { echo "$apk: no $expected in its badging" >&2; exit 1; }
done
! grep -q uses-permission <<<"$badging" || { echo "$apk: asks for a permission" >&2; exit 1; }
for class in HarnessActivity RunActivity HarnessInstrumentation RecordProvider; do
    dexdump $work/dex/classes.dex | grep "Class descriptor.*Ldev/deepnarrow/harness/$class;" >/dev/null || { echo "$apk: $class is missing" >&2; exit 1; }
done
! grep -qF "$PWD" $work/dex/classes.dex || { echo "$apk: carries the path of the machine that built it" >&2; exit 1; }
echo "$(du -h "$apk" | cut -f1) $apk: signed, aligned, complete"
