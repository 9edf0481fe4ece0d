package dev.deepnarrow.harness

import android.app.ActivityManager
import android.content.Context
import dev.deepnarrow.core.Artifact
import dev.deepnarrow.core.RunStore
import dev.deepnarrow.core.UserError
import dev.deepnarrow.core.Wire
import dev.deepnarrow.core.newSession
import dev.deepnarrow.harness.ui.Choice
import dev.deepnarrow.harness.ui.HistoryFilter
import dev.deepnarrow.harness.ui.PickScreen
import dev.deepnarrow.harness.ui.PickState
import dev.deepnarrow.harness.ui.Results
import dev.deepnarrow.harness.ui.RunSummary
import java.io.File
import java.io.IOException

/** What lies on the phone at one moment. [unusable] names artifact folders and records that cannot be read, with the reason. */
class Snapshot(val choices: List<FoundChoice>, val unusable: List<String>, val history: List<RunSummary>)

/** Reads what the launcher screen shows and prepares what it starts; its own screen-free half. */
class Desk(private val context: Context, val folders: AllowedFolders) {
    private val scanner = ArtifactScanner(folders, ::readManifest)
    private val deaths = ProcessDeaths(context)
    private val readings = PhoneReadings(context)

    /** Reads manifests and records from storage; not for the main thread. */
    fun look(): Snapshot {
        val found = scanner.scan()
        val unreadable = ArrayList<String>()
        val runs = folders.runs.listFiles { file -> file.resolve(RunStore.RECORD_FILE).isFile }.orEmpty()
        val history = runs.sortedByDescending { it.lastModified() }.take(MAX_HISTORY).mapNotNull { folder ->
            try {
                summary(folder)
            } catch (error: UserError) {
                unreadable += error.message.orEmpty()
                null
            }
        }
        return Snapshot(found.choices, found.unusable + unreadable, Pools.joined(history))
    }

    private fun summary(folder: File): RunSummary {
        val record = Wire.readRecord(folder.resolve(RunStore.RECORD_FILE))
        val finished = folder.resolve(RunStore.DONE_FILE).isFile
        return Summaries.of(record, finished, if (finished) null else deaths.of(record.request.runId))
    }

    private fun readManifest(folder: File): FoundArtifact = refusing {
        val manifest = Wire.readManifest(folder.resolve(Artifact.MANIFEST_FILE))
        FoundArtifact(
            folder, manifest.pair, manifest.arm?.let(Summaries::side), manifest.shapeName, manifest.target.word, manifest.scheme.word,
            manifest.options.maxContext, manifest.contentId, manifest.modelBytes,
            manifest.costPerToken.kvBytesPerPosition * manifest.options.maxContext,
        )
    }

    fun pickState(snapshot: Snapshot, choice: Choice, filter: HistoryFilter, busy: Boolean) = PickState(
        choices = snapshot.choices.map { it.choice() },
        unusable = snapshot.unusable,
        folders = folders.artifactRoots.map { it.path },
        phoneState = PhoneStateText.line(readings),
        concerns = PhoneStateText.concerns(context, readings) + listOfNotNull(
            snapshot.choices.firstOrNull { it.key == choice.key }?.let { PhoneStateText.memory(it, readings.ramUntilLow()) },
        ),
        numCores = Runtime.getRuntime().availableProcessors(),
        decodeSteps = Requests.DECODE_STEPS,
        choice = choice.copy(numThreads = choice.numThreads.coerceAtMost(Runtime.getRuntime().availableProcessors())),
        history = snapshot.history,
        filter = filter,
        busy = busy,
    )

    /** Contexts that the artifacts can hold; the pick screen shows the others as switched off. */
    fun contexts(chosen: FoundChoice, wanted: List<Int>): List<Int> =
        wanted.filter { it in PickScreen.CONTEXTS && it + Requests.DECODE_STEPS <= chosen.maxContext }

    /** The artifact folder and the request of the next run of [series]; null once it is over. Throws [Refused] if the artifact is gone. */
    fun planned(series: Series): Pair<File, String>? {
        val chosen = scanner.scan().choices.firstOrNull { it.key == series.key } ?: throw Refused("${series.key} is not on this phone any more")
        val contexts = contexts(chosen, series.contexts)
        if (contexts.isEmpty()) {
            throw Refused("${series.key} holds ${chosen.maxContext} positions: ${Requests.DECODE_STEPS} tokens fit after none of ${series.contexts}")
        }
        val artifact = series.artifact(chosen) ?: return null
        return artifact.folder to Requests.json(Requests.planned(series.copy(contexts = contexts), artifact))
    }

    /** Deletes the folders of [runs]. Throws [Refused] if one stays. */
    fun delete(runs: List<RunSummary>) {
        for (run in runs) {
            val folder = folders.readable(folders.runs.resolve(run.runId).path)
            if (!folder.deleteRecursively()) throw Refused("$folder: cannot be deleted")
        }
    }

    /** The records of [runs] as one archive, each in a folder of its own as they lie on the phone; its name in [SharedFiles]. Throws [Refused]. */
    fun archive(runs: List<RunSummary>): String = try {
        SharedFiles.of(context).write("deepnarrow-${newSession(System.currentTimeMillis())}.zip") { zip ->
            for (run in runs) for (name in listOf(RunStore.RECORD_FILE, RunStore.DONE_FILE)) {
                val file = folders.runs.resolve(run.runId).resolve(name)
                if (file.isFile) zip.add("${run.runId}/$name", file)
            }
        }
    } catch (error: IOException) {
        throw Refused("the archive cannot be written: ${error.message}")
    }

    fun isRunProcessAlive(): Boolean = context.getSystemService(ActivityManager::class.java)?.runningAppProcesses.orEmpty()
        .any { it.processName == "${context.packageName}:run" }

    /** Where the results of [runId] stand; null for a run that did not answer. Throws [Refused] if its record cannot be read. */
    fun resultsOf(runId: String?): Results? = runId?.let { refusing { summary(folders.readable(folders.runs.resolve(it).path)) }.results }

    private companion object {
        const val MAX_HISTORY = 200
    }
}
