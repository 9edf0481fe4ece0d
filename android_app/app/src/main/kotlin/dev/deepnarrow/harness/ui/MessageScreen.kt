package dev.deepnarrow.harness.ui

import android.content.Context
import android.view.View
import android.widget.ScrollView

/** What was refused and why, with a way back. */
class MessageScreen(context: Context, message: String, onBack: () -> Unit) {
    private val kit = Kit(context)

    val view: View = ScrollView(context).apply {
        fitsSystemWindows = true
        setBackgroundColor(kit.palette.background)
        val content = kit.column(
            kit.title("Not done"), kit.gap(),
            kit.card(kit.body(message).apply { setTextIsSelectable(true) }, kit.gap(), kit.button("Back", primary = true) { onBack() }),
        )
        content.setPadding(context.dp(16), context.dp(16), context.dp(16), context.dp(16))
        addView(content)
    }
}
