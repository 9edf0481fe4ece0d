package dev.deepnarrow.harness

import java.io.File
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assume.assumeTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

/** What only the linked resources show. Skipped where there is no aapt2; nothing else in the app needs its own resources. */
@RunWith(RobolectricTestRunner::class)
class ResourcesTest {
    private val app = RuntimeEnvironment.getApplication()

    @Test
    fun `icon, label and SDK levels are those of the manifest`() {
        assumeTrue("needs aapt2", File("/usr/bin/aapt2").exists())
        assertNotNull(app.getDrawable(app.resources.getIdentifier("ic_harness", "drawable", app.packageName)))
        assertEquals("deepnarrow", app.applicationInfo.loadLabel(app.packageManager))
        assertEquals(28, app.applicationInfo.minSdkVersion)
        assertEquals(35, app.applicationInfo.targetSdkVersion)
    }
}
