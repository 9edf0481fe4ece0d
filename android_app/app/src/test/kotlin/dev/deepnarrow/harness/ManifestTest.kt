package dev.deepnarrow.harness

import java.io.File
import javax.xml.parsers.DocumentBuilderFactory
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.w3c.dom.Element

private const val ANDROID = "http://schemas.android.com/apk/res/android"

/** The manifest as it is installed: what other apps may touch, and that the app asks for nothing. */
class ManifestTest {
    private val manifest = DocumentBuilderFactory.newInstance().apply { isNamespaceAware = true }.newDocumentBuilder()
        .parse(File("src/main/AndroidManifest.xml")).documentElement

    private fun all(tag: String): List<Element> = manifest.getElementsByTagName(tag).let { nodes -> List(nodes.length) { nodes.item(it) as Element } }

    private fun Element.attribute(name: String): String = getAttributeNS(ANDROID, name)

    @Test
    fun `no permission is asked for, not even the internet`() {
        assertEquals(0, all("uses-permission").size + all("uses-permission-sdk-23").size + all("permission").size)
    }

    @Test
    fun `only the launcher screen is open to other apps`() {
        val components = listOf("activity", "service", "receiver", "provider").flatMap(::all)
        assertTrue(components.all { it.attribute("exported").isNotEmpty() })
        assertEquals(listOf(".HarnessActivity"), components.filter { it.attribute("exported") == "true" }.map { it.attribute("name") })
    }

    @Test
    fun `a run has a process of its own`() {
        assertEquals(mapOf(".HarnessActivity" to "", ".RunActivity" to ":run", ".StageActivity" to ""),
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
