package dev.deepnarrow.harness

import java.io.File
import org.junit.jupiter.api.Assertions.assertAll
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.function.Executable

/** gradle/libs.versions.toml is the truth for versions; pom.xml, and the script that brings ExecuTorch's classes, repeat them. */
class VersionsAgreeTest {
    private val root = generateSequence(File("").absoluteFile) { it.parentFile }.first { it.resolve("gradle/libs.versions.toml").exists() }
    private val toml = Regex("""^([\w-]+)\s*=\s*"([^"]+)"""", RegexOption.MULTILINE)
        .findAll(root.resolve("gradle/libs.versions.toml").readText().substringAfter("[versions]").substringBefore("\n["))
        .associate { it.groupValues[1] to it.groupValues[2] }
    private val pomText = root.resolve("pom.xml").readText()
    private val pom = Regex("""<([\w.-]+)>([^<$]+)</\1>""").findAll(pomText.substringAfter("<properties>").substringBefore("</properties>"))
        .associate { it.groupValues[1] to it.groupValues[2] }

    @Test
    fun `Maven builds with the versions of the catalogue`() {
        val pairs = mapOf(
            "kotlin" to "kotlin.version", "serialization" to "serialization.version", "onnxruntime" to "onnxruntime.version",
            "junit" to "junit.version", "junit4" to "junit4.version", "robolectric" to "robolectric.version",
            "json-schema-validator" to "json-schema-validator.version",
            "minSdk" to "android.minSdk", "targetSdk" to "android.targetSdk", "versionCode" to "android.versionCode",
        )
        assertAll(pairs.map { (key, property) -> Executable { assertEquals(toml.getValue(key), pom[property], "$key / $property") } })
        assertEquals(toml.getValue("versionName"), Regex("<version>([^<]+)</version>").find(pomText)!!.groupValues[1])
    }

    @Test
    fun `the script fetches the package that Maven unpacks`() {
        val version = Regex("^version=(.*)$", RegexOption.MULTILINE).find(root.resolve("ci/fetch_executorch_classes.sh").readText())!!.groupValues[1]
        assertEquals(pom["react-native-executorch.version"], version)
    }

    @Test
    fun `both builds use one namespace`() {
        val gradle = root.resolve("app/build.gradle.kts").readText()
        assertEquals(pom["android.namespace"], Regex("""namespace = "([^"]+)"""").find(gradle)!!.groupValues[1])
        assertEquals(pom["android.namespace"], Regex("""applicationId = "([^"]+)"""").find(gradle)!!.groupValues[1])
    }
}
