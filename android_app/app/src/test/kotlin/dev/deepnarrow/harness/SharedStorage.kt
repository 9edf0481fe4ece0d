package dev.deepnarrow.harness

import android.os.Environment
import org.robolectric.shadows.ShadowEnvironment

/** Gives the test's phone the shared storage that a real one has after its first unlock. */
internal fun mountSharedStorage() {
    ShadowEnvironment.setExternalStorageState(Environment.MEDIA_MOUNTED)
    ShadowEnvironment.addExternalDir("shared")
}
