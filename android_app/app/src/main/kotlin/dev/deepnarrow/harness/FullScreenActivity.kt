package dev.deepnarrow.harness

import android.app.Activity
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.Process
import android.view.Choreographer
import android.view.WindowManager
import dev.deepnarrow.harness.ui.Palette
import dev.deepnarrow.harness.ui.RunningScreen
import dev.deepnarrow.harness.ui.RunningState
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit

/**
 * The full screen of a run: it makes the process a foreground app, which the scheduler gives the big cores, and keeps the
 * screen on. It draws only when [show] is called, which is between stages and contexts.
 */
open class FullScreenActivity : Activity() {
    lateinit var screen: RunningScreen
        private set
    private val front = CountDownLatch(1)

    override fun onCreate(savedInstanceState: Bundle?) {
        applyTheme()
        super.onCreate(savedInstanceState)
        if (isRefused(savedInstanceState)) return
        current = this
        window.addFlags(WindowManager.LayoutParams.FLAG_KEEP_SCREEN_ON)
        setShowWhenLocked(true)
        setTurnScreenOn(true)
        screen = RunningScreen(this, ::stop)
        setContentView(screen.view)
    }

    override fun onResume() {
        super.onResume()
        if (current === this) foreground = true
        front.countDown()
    }

    override fun onPause() {
        if (current === this) {
            foreground = false
            if (!isFinishing && !isChangingConfigurations) leftForeground = true
        }
        super.onPause()
    }

    override fun onDestroy() {
        if (current === this) current = null
        super.onDestroy()
    }

    /** Waits until the screen is in front, where a run belongs from its start; a run that starts behind another app says so in its record. */
    protected fun awaitFront() {
        front.await(FRONT_WAIT_MS, TimeUnit.MILLISECONDS)
    }

    /** Whether this screen must not take the place of the one that is there. */
    protected open fun isRefused(savedInstanceState: Bundle?): Boolean = false

    /** Ends the process; the record on disk then says in which stage. */
    protected open fun stop() = Process.killProcess(Process.myPid())

    /** Leaving would make the run a background process; Home does, and the record then says so. */
    @Deprecated("Called by the system up to Android 15")
    override fun onBackPressed() = Unit

    /**
     * Shows [state] and returns once the frame is on its way to the screen, so that nothing is drawn in the timed region that
     * follows. Called on the run's thread. A screen that is off has no frames; then it goes on after [FRAME_WAIT_MS].
     */
    fun show(state: RunningState) {
        val drawn = CountDownLatch(1)
        Handler(Looper.getMainLooper()).post {
            screen.show(state)
            afterFrames(FRAMES) { drawn.countDown() }
        }
        drawn.await(FRAME_WAIT_MS, TimeUnit.MILLISECONDS)
    }

    private fun afterFrames(count: Int, action: () -> Unit) {
        if (count == 0) action() else Choreographer.getInstance().postFrameCallback { afterFrames(count - 1, action) }
    }

    companion object {
        /** The frame itself and one for the render thread to hand it over. */
        private const val FRAMES = 2
        private const val FRAME_WAIT_MS = 250L
        private const val FRONT_WAIT_MS = 5000L

        /** Whether the run's screen is in front; the process has one at most. */
        @Volatile
        var foreground = false
            private set

        /** Whether it was not, at some moment since [beginRun]: a visit to Home in the middle of a run is over when it ends. */
        @Volatile
        private var leftForeground = false

        /** The screen as it now stands: Android makes a new one for a change that the manifest does not declare. */
        @Volatile
        internal var current: FullScreenActivity? = null
            private set

        /** From here on a screen that is left counts. */
        fun beginRun() {
            leftForeground = false
        }

        /** What a record says: the screen is in front and has been since the run began. */
        fun stayedInForeground(): Boolean = foreground && !leftForeground
    }
}

/** Chosen in code because a day-night theme of the framework exists only from Android 10 on. */
internal fun Activity.applyTheme() = setTheme(
    if (Palette.isDark(this)) android.R.style.Theme_DeviceDefault_NoActionBar else android.R.style.Theme_DeviceDefault_Light_NoActionBar,
)
