package dev.deepnarrow.harness

import android.net.Uri
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment

@RunWith(RobolectricTestRunner::class)
class RecordProviderTest {
    private val context = RuntimeEnvironment.getApplication()
    private lateinit var runs: File
    private lateinit var provider: RecordProvider

    @Before
    fun record() {
        mountSharedStorage()
        runs = AllowedFolders.of(context).apply { prepare() }.runs
        runs.resolve("r1").apply { mkdirs() }.resolve("record.json").writeText("""{"a": 1}""")
        runs.parentFile!!.resolve("record.json").writeText("secret")
        provider = Robolectric.setupContentProvider(RecordProvider::class.java, "${context.packageName}.records")
    }

    private fun open(uri: Uri, mode: String = "r") = provider.openFile(uri, mode)

    @Test
    fun `the very record is lent`() {
        val file = open(RecordProvider.uri(context, "r1"))
        assertEquals("""{"a": 1}""", android.os.ParcelFileDescriptor.AutoCloseInputStream(file).use { it.readBytes().decodeToString() })
    }

    @Test
    fun `the receiver learns name and size`() {
        provider.query(RecordProvider.uri(context, "r1"), null, null, null, null).use {
            assertTrue(it.moveToFirst())
            assertEquals("r1.json", it.getString(it.getColumnIndexOrThrow(OpenableColumns.DISPLAY_NAME)))
            assertEquals(8, it.getLong(it.getColumnIndexOrThrow(OpenableColumns.SIZE)))
        }
    }

    @Test
    fun `nothing outside the runs is lent`() {
        val base = "content://${context.packageName}.records/"
        for (path in listOf("..", "%2e%2e", "archive/..%2f..%2fr1%2frecord.json", "archive/missing.zip", "..%2f..%2fsecret", "r1%2f..%2f..", "missing", "r1/record.json", "")) {
            assertThrows(path, FileNotFoundException::class.java) { open(Uri.parse(base + path)) }
        }
    }

    @Test
    fun `nothing can be written`() {
        assertThrows(FileNotFoundException::class.java) { open(RecordProvider.uri(context, "r1"), "rw") }
        assertThrows(UnsupportedOperationException::class.java) { provider.delete(RecordProvider.uri(context, "r1"), null, null) }
        assertThrows(UnsupportedOperationException::class.java) { provider.insert(RecordProvider.uri(context, "r1"), null) }
    }
}
