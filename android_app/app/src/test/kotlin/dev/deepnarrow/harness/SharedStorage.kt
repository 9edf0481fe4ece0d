package dev.deepnarrow.harness

import android.os.Environment
import org.robolectric.RuntimeEnvironment
import org.robolectric.shadows.ShadowEnvironment

/** Gives the test's phone the shared storage that a real one has after its first unlock, empty; Robolectric keeps files between tests. */
internal fun mountSharedStorage() {
    ShadowEnvironment.setExternalStorageState(Environment.MEDIA_MOUNTED)
    ShadowEnvironment.addExternalDir("shared")
    check(AllowedFolders.of(RuntimeEnvironment.getApplication()).media.deleteRecursively()) { "the shared storage cannot be emptied" }
}
