package dev.deepnarrow.harness.ui

import android.content.Context
import android.content.res.ColorStateList
import android.content.res.Configuration
import android.graphics.Color
import android.graphics.Typeface
import android.graphics.drawable.GradientDrawable
import android.graphics.drawable.RippleDrawable
import android.util.TypedValue
import android.view.Gravity
import android.view.View
import android.view.ViewGroup.LayoutParams.MATCH_PARENT
import android.view.ViewGroup.LayoutParams.WRAP_CONTENT
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView

/** Colours of one theme. Deep is blue and wide is orange on every screen; their hatching and labels differ too. */
class Palette private constructor(
    val background: Int,
    val card: Int,
    val line: Int,
    val text: Int,
    val faint: Int,
    val deep: Int,
    val wide: Int,
    val good: Int,
    val warning: Int,
    val bad: Int,
) {
    companion object {
        private val light = Palette(
            background = Color.rgb(243, 245, 249), card = Color.WHITE, line = Color.rgb(214, 220, 230),
            text = Color.rgb(21, 27, 38), faint = Color.rgb(84, 95, 114),
            deep = Color.rgb(32, 98, 204), wide = Color.rgb(190, 92, 0),
            good = Color.rgb(22, 121, 68), warning = Color.rgb(150, 88, 0), bad = Color.rgb(186, 35, 43),
        )
        private val dark = Palette(
            background = Color.rgb(14, 18, 26), card = Color.rgb(24, 30, 42), line = Color.rgb(54, 64, 82),
            text = Color.rgb(232, 237, 245), faint = Color.rgb(160, 171, 190),
            deep = Color.rgb(108, 166, 255), wide = Color.rgb(255, 173, 92),
            good = Color.rgb(95, 209, 145), warning = Color.rgb(255, 190, 92), bad = Color.rgb(255, 120, 124),
        )

        fun of(context: Context): Palette = if (isDark(context)) dark else light

        fun isDark(context: Context): Boolean =
            context.resources.configuration.uiMode and Configuration.UI_MODE_NIGHT_MASK == Configuration.UI_MODE_NIGHT_YES
    }
}

fun Context.dp(value: Float): Float = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_DIP, value, resources.displayMetrics)

fun Context.dp(value: Int): Int = dp(value.toFloat()).toInt()

/** Text sizes follow the user's font scale, in text views and in pictures alike. */
fun Context.sp(value: Float): Float = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, value, resources.displayMetrics)

/** The few pieces all screens are made of; framework widgets only, built in code, so that the app carries no UI library. */
class Kit(val context: Context) {
    val palette = Palette.of(context)

    fun column(vararg children: View): LinearLayout = LinearLayout(context).apply {
        orientation = LinearLayout.VERTICAL
        children.forEach { addView(it, LinearLayout.LayoutParams(MATCH_PARENT, WRAP_CONTENT)) }
    }

    /** Children in one line, each as wide as it wants to be, the first taking what is left. */
    fun row(first: View, vararg others: View): LinearLayout = LinearLayout(context).apply {
        orientation = LinearLayout.HORIZONTAL
        gravity = Gravity.CENTER_VERTICAL
        addView(first, LinearLayout.LayoutParams(0, WRAP_CONTENT, 1f))
        others.forEach { addView(it, LinearLayout.LayoutParams(WRAP_CONTENT, WRAP_CONTENT).apply { marginStart = context.dp(8) }) }
    }

    fun card(vararg children: View): LinearLayout = column(*children).apply {
        background = GradientDrawable().apply {
            setColor(palette.card)
            cornerRadius = context.dp(14f)
            setStroke(context.dp(1), palette.line)
        }
        setPadding(context.dp(16), context.dp(14), context.dp(16), context.dp(14))
    }

    fun title(text: CharSequence): TextView = styled(text, 22f, palette.text, bold = true).heading()

    fun heading(text: CharSequence): TextView = styled(text, 15f, palette.text, bold = true).heading()

    fun body(text: CharSequence, color: Int = palette.text): TextView = styled(text, 14f, color)

    fun note(text: CharSequence): TextView = styled(text, 13f, palette.faint).apply { setLineSpacing(0f, 1.15f) }

    fun figure(text: CharSequence, color: Int = palette.text): TextView = styled(text, 30f, color, bold = true)

    fun badge(text: String, color: Int): TextView = styled(text, 12f, color, bold = true).apply {
        background = GradientDrawable().apply {
            cornerRadius = context.dp(20f)
            setStroke(context.dp(1), color)
        }
        setPadding(context.dp(10), context.dp(4), context.dp(10), context.dp(4))
    }

    /** A button of at least 48 dp, the smallest target that fingers and TalkBack users hit. */
    fun button(text: String, primary: Boolean = false, onClick: () -> Unit): Button = Button(context).apply {
        this.text = text
        isAllCaps = false
        minimumHeight = context.dp(48)
        minHeight = context.dp(48)
        setTextSize(TypedValue.COMPLEX_UNIT_SP, 15f)
        setTextColor(if (primary) palette.card else palette.deep)
        setPadding(context.dp(16), context.dp(8), context.dp(16), context.dp(8))
        stateListAnimator = null
        val shape = GradientDrawable().apply {
            setColor(if (primary) palette.deep else palette.card)
            setStroke(context.dp(1), if (primary) palette.deep else palette.line)
            cornerRadius = context.dp(12f)
        }
        background = RippleDrawable(ColorStateList.valueOf(palette.line), shape, null)
        setOnClickListener { onClick() }
    }

    fun gap(dp: Int = 12): View = View(context).apply { minimumHeight = context.dp(dp) }

    private fun styled(text: CharSequence, sizeSp: Float, color: Int, bold: Boolean = false) = TextView(context).apply {
        this.text = text
        setTextColor(color)
        setTextSize(TypedValue.COMPLEX_UNIT_SP, sizeSp)
        if (bold) typeface = Typeface.DEFAULT_BOLD
    }

    private fun TextView.heading() = apply { isAccessibilityHeading = true }
}
