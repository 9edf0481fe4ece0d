package dev.deepnarrow.harness

import dev.deepnarrow.harness.ui.PairChoice
import dev.deepnarrow.harness.ui.Side
import java.io.File

/** A folder with a manifest that this version understands. */
class FoundArtifact(
    val folder: File,
    val pair: String,
    val side: Side?,
    val shapeName: String,
    val target: String,
    val scheme: String,
    val maxContext: Int,
    val jobId: String,
    val modelBytes: Long,
)

/** Both sides of a pair for one target and scheme. */
class FoundPair(val deep: FoundArtifact, val wide: FoundArtifact) {
    val key: String = key(deep)

    fun choice() = PairChoice(
        key, deep.pair, "${deep.target} ${deep.scheme}: ${deep.shapeName} and ${wide.shapeName}",
        minOf(deep.maxContext, wide.maxContext),
    )

    fun side(side: Side): FoundArtifact = if (side == Side.DEEP) deep else wide

    companion object {
        fun key(artifact: FoundArtifact) = "${artifact.pair}, ${artifact.target} ${artifact.scheme}"
    }
}

/** What lies in the allowed folders; [unusable] names folders whose manifest cannot be used, with the reason. */
class Found(val pairs: List<FoundPair>, val unusable: List<String>)

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
        return Found(pairs(artifacts), unusable)
    }

    private fun candidates(): List<File> = folders.artifactRoots.flatMap { root ->
        root.walkTopDown().maxDepth(MAX_DEPTH).onEnter { it != folders.runs }.filter { it.name == MANIFEST_FILE }.map { it.parentFile }.take(MAX_ARTIFACTS)
    }.distinctBy { it.path }

    /** The newest folder of each side wins where an artifact is on the phone twice. */
    private fun pairs(artifacts: List<FoundArtifact>): List<FoundPair> = artifacts.groupBy(FoundPair::key).values.mapNotNull { group ->
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
