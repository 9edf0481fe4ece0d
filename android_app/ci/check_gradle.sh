#!/usr/bin/env bash
# Type-checks the Gradle scripts against the interfaces of Gradle and of the Android plugin, without Gradle, and proves that the
# check can fail: four planted mistakes must be found. Needs Maven, Java 17 and Python 3.11.
set -euo pipefail
cd "$(dirname "$0")"
kotlin=$(sed -n 's/^kotlin = "\(.*\)"/\1/p' ../gradle/libs.versions.toml)
agp=$(sed -n 's/^agp = "\(.*\)"/\1/p' ../gradle/libs.versions.toml)
jars=target/gradle-jars
copy() { # GROUP:ARTIFACT:VERSION
    local artifact=${1#*:}
    [ -f "$jars/${artifact/:/-}.jar" ] || mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy -Dartifact="$1" -DoutputDirectory="$PWD/$jars"
}
copy dev.gradleplugins:gradle-api:8.11.1
copy org.jetbrains.kotlin:kotlin-gradle-plugin-api:"$kotlin"
copy com.android.tools.build:gradle-api:"$agp"
for part in kotlin-compiler-embeddable kotlin-stdlib kotlin-script-runtime kotlin-daemon-embeddable kotlin-sam-with-receiver-compiler-plugin-embeddable; do
    copy org.jetbrains.kotlin:$part:"$kotlin"
done
copy org.jetbrains.kotlin:kotlin-reflect:1.6.10
copy org.jetbrains.kotlinx:kotlinx-coroutines-core-jvm:1.8.0
copy org.jetbrains:annotations:13.0
compile() { # DIRECTORY WITH .kt FILES
    java -Xmx1g -cp "$jars/*" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -nowarn \
        -Xplugin="$jars/kotlin-sam-with-receiver-compiler-plugin-embeddable-$kotlin.jar" \
        -P plugin:org.jetbrains.kotlin.samWithReceiver:annotation=org.gradle.api.HasImplicitReceiver -jvm-target 17 \
        -cp "$jars/gradle-api-8.11.1.jar:$jars/gradle-api-$agp.jar:$jars/kotlin-gradle-plugin-api-$kotlin.jar:$jars/kotlin-stdlib-$kotlin.jar" -d "$1/classes" "$1"/*.kt
}
rm -rf target/kts target/kts-wrong
python3 check_kts.py .. target/kts
compile target/kts
mkdir -p target/kts-wrong
cp target/kts/*.kt target/kts-wrong/
sed -i -e 's/minSdk = /minSdkk = /' -e 's/isMinifyEnabled = true/isMinifyEnabled = 1/' -e 's/libs\.executorch\.android/libs.executorch.andriod/' \
    target/kts-wrong/app_build_gradle_kts.kt
sed -i -e 's/JvmTarget\.JVM_17/JvmTarget.JVM_17b/' target/kts-wrong/core_build_gradle_kts.kt
found=$(compile target/kts-wrong 2>&1 | grep -cE "error: .*(minSdkk|andriod|JVM_17b|'Boolean' was expected)" || true)
[ "$found" -eq 4 ] || { echo "the check found $found of 4 planted mistakes: it is not to be trusted" >&2; exit 1; }
echo "Gradle scripts: no type errors against the interfaces of Gradle 8.11.1, not of the Gradle 9 that builds; 4 of 4 planted mistakes found"
