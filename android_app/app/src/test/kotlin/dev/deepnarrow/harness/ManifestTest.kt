package dev.deepnarrow.harness

import java.io.File
import javax.xml.parsers.DocumentBuilderFactory
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.w3c.dom.Element

private const val TOOLS = "http://schemas.android.com/tools"
private const val ANDROID = "http://schemas.android.com/apk/res/android"

/** The manifest as it is installed: what other apps may touch, and that the app asks for nothing. */
class ManifestTest {
    private val manifest = DocumentBuilderFactory.newInstance().apply { isNamespaceAware = true }.newDocumentBuilder()
        .parse(File("src/main/AndroidManifest.xml")).documentElement

    private fun all(tag: String): List<Element> = written(tag).filter { it.getAttributeNS(TOOLS, "node").isEmpty() }

    private fun written(tag: String): List<Element> = manifest.getElementsByTagName(tag).let { nodes -> List(nodes.length) { nodes.item(it) as Element } }

    private fun Element.attribute(name: String): String = getAttributeNS(ANDROID, name)

    @Test
    fun `no permission is asked for, not even the internet`() {
        assertEquals(0, all("uses-permission").size + all("uses-permission-sdk-23").size + all("permission").size)
    }

    /** No Gradle build was run; these lines tell its manifest merger what of the libraries' must not come in. */
    @Test
    fun `what libraries bring in is removed`() {
        for (tag in listOf("uses-permission", "uses-permission-sdk-23", "permission")) {
            assertEquals(listOf("removeAll"), written(tag).map { it.getAttributeNS(TOOLS, "node") }, tag)
        }
        val removed = listOf("provider", "receiver", "instrumentation").flatMap(::written).filter { it.getAttributeNS(TOOLS, "node") == "remove" }
        assertEquals(
            setOf("androidx.startup.InitializationProvider", "androidx.profileinstaller.ProfileInstallReceiver", "androidx.test.runner.AndroidJUnitRunner"),
            removed.map { it.attribute("name") }.toSet(),
        )
    }

    @Test
    fun `the manifest that is installed has none of the merger's words`() {
        val installed = File("target/AndroidManifest.xml").readText()
        assertTrue("tools:node" !in installed && "androidx" !in installed && ".RecordProvider" in installed, installed)
    }

    @Test
    fun `a run's screen is not made again for what may change during a run`() {
        val changes = listOf("orientation", "screenSize", "uiMode", "fontScale", "locale", "layoutDirection", "fontWeightAdjustment", "colorMode", "touchscreen")
        for (name in listOf(".RunActivity", ".FullScreenActivity")) {
            val declared = all("activity").single { it.attribute("name") == name }.attribute("configChanges").split('|')
            assertEquals(emptyList<String>(), changes - declared.toSet())
        }
    }

    @Test
    fun `only the launcher screen is open to other apps`() {
        val components = listOf("activity", "service", "receiver", "provider").flatMap(::all)
        assertTrue(components.all { it.attribute("exported").isNotEmpty() })
        assertEquals(listOf(".HarnessActivity"), components.filter { it.attribute("exported") == "true" }.map { it.attribute("name") })
    }

    @Test
    fun `a run has a process of its own`() {
        assertEquals(mapOf(".HarnessActivity" to "", ".RunActivity" to ":run", ".FullScreenActivity" to ""),
            all("activity").associate { it.attribute("name") to it.attribute("process") })
    }

    @Test
    fun `am instrument finds the harness`() {
        val instrumentation = all("instrumentation").single()
        assertEquals(".HarnessInstrumentation", instrumentation.attribute("name"))
        assertEquals("\${applicationId}", instrumentation.attribute("targetPackage"))
    }

    @Test
    fun `records are lent one by one`() {
        val provider = all("provider").single()
        assertEquals("true", provider.attribute("grantUriPermissions"))
        assertEquals("\${applicationId}.records", provider.attribute("authorities"))
    }

    @Test
    fun `all components exist`() {
        for (element in listOf("activity", "provider").flatMap(::all)) Class.forName("dev.deepnarrow.harness" + element.attribute("name"))
    }
}
