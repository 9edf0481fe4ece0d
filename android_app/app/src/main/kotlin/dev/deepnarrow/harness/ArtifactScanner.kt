package dev.deepnarrow.harness

import dev.deepnarrow.harness.ui.RunChoice
import dev.deepnarrow.harness.ui.Side
import java.io.File

/** Something that one press of the button runs. */
sealed interface FoundChoice {
    val key: String
    val maxContext: Int
    val artifacts: List<FoundArtifact>

    /** How the pick screen shows it. */
    fun choice(): RunChoice
}

/** A folder with a manifest that this version understands. [cacheBytes] are those of a full cache. */
class FoundArtifact(
    val folder: File,
    val pair: String,
    val side: Side?,
    val shapeName: String,
    val target: String,
    val scheme: String,
    override val maxContext: Int,
    val contentId: String,
    val modelBytes: Long,
    val cacheBytes: Long,
) : FoundChoice {
    override val artifacts: List<FoundArtifact> get() = listOf(this)
    val pairKey: String get() = "$pair, $target $scheme"
    override val key: String get() = "$pairKey, $shapeName alone"

    override fun choice() = RunChoice(key, shapeName, "$pairKey, alone", maxContext, isPair = false)
}

/** Both sides of a pair for one target and scheme. */
class FoundPair(val deep: FoundArtifact, val wide: FoundArtifact) : FoundChoice {
    override val key: String = deep.pairKey
    override val artifacts: List<FoundArtifact> = listOf(deep, wide)
    override val maxContext: Int = minOf(deep.maxContext, wide.maxContext)

    override fun choice() =
        RunChoice(key, deep.pair, "${deep.target} ${deep.scheme}: ${deep.shapeName} and ${wide.shapeName}", maxContext, isPair = true)

    fun side(side: Side): FoundArtifact = if (side == Side.DEEP) deep else wide
}

/** What lies in the allowed folders, pairs first; [unusable] names folders whose manifest cannot be used, with the reason. */
class Found(val choices: List<FoundChoice>, val unusable: List<String>)

/** Looks for artifact folders in the allowed folders, a few levels deep; a link that leads out of them is refused like any other path. */
class ArtifactScanner(private val folders: AllowedFolders, private val readManifest: (File) -> FoundArtifact) {
    fun scan(): Found {
        val artifacts = ArrayList<FoundArtifact>()
        val unusable = ArrayList<String>()
        for (folder in candidates()) {
            try {
                artifacts += readManifest(folders.readable(folder.path))
            } catch (error: Refused) {
                unusable += error.message.orEmpty()
            }
        }
        val newest = newest(artifacts)
        return Found(pairs(newest) + newest, unusable)
    }

    private fun candidates(): List<File> = folders.artifactRoots.flatMap { root ->
        root.walkTopDown().maxDepth(MAX_DEPTH).onEnter { it != folders.runs }.filter { it.name == MANIFEST_FILE }.map { it.parentFile }.take(MAX_ARTIFACTS)
    }.distinctBy { it.path }

    /** The newest folder wins where an artifact is on the phone twice. */
    private fun newest(artifacts: List<FoundArtifact>): List<FoundArtifact> = artifacts.groupBy { it.key to it.side }.values
        .map { same -> same.maxBy { it.folder.resolve(MANIFEST_FILE).lastModified() } }.sortedBy { it.key }

    private fun pairs(artifacts: List<FoundArtifact>): List<FoundPair> = artifacts.groupBy { it.pairKey }.values.mapNotNull { group ->
        fun newest(side: Side) = group.filter { it.side == side }.maxByOrNull { it.folder.resolve(MANIFEST_FILE).lastModified() }
        val deep = newest(Side.DEEP)
        val wide = newest(Side.WIDE)
        if (deep == null || wide == null) null else FoundPair(deep, wide)
    }.sortedBy { it.key }

    private companion object {
        const val MANIFEST_FILE = "manifest.json"
        const val MAX_DEPTH = 5
        const val MAX_ARTIFACTS = 200
    }
}
