package dev.deepnarrow.core

import java.io.File

/** A checked artifact folder: every file is the manifest's own, by size and hash. */
class Artifact private constructor(
    val folder: File,
    val manifest: Manifest,
    val manifestSha256: String,
    val reference: Reference,
) {
    fun facts(): ArtifactFacts = ArtifactFacts(
        jobId = manifest.jobId,
        contentId = manifest.contentId,
        manifestSha256 = manifestSha256,
        pair = manifest.pair,
        arm = manifest.arm,
        shapeName = manifest.shapeName,
        shape = manifest.shape,
        target = manifest.target,
        scheme = manifest.scheme,
        maxContext = manifest.options.maxContext,
        prefillChunk = manifest.options.prefillChunk,
        modelBytes = manifest.modelBytes,
        bytesByRole = manifest.bytesByRole,
        weightBytesRead = manifest.costPerToken.weightBytesRead,
        kvBytesPerPosition = manifest.costPerToken.kvBytesPerPosition,
    )

    companion object {
        const val MANIFEST_FILE = "manifest.json"
        const val REFERENCE_FILE = "reference.json"

        /** Reads and checks the folder. Throws [UserError] that names the first thing wrong. */
        fun open(folder: File): Artifact {
            if (!folder.isDirectory) throw UserError("$folder: no such folder")
            val file = folder.resolve(MANIFEST_FILE)
            val manifest = Wire.readManifest(file)
            if (manifest.files.none { it.path == REFERENCE_FILE }) throw UserError("$file: lists no $REFERENCE_FILE")
            checkFiles(folder, manifest)
            return Artifact(folder, manifest, sha256(file), Wire.readReference(folder.resolve(REFERENCE_FILE)))
        }

        private fun checkFiles(folder: File, manifest: Manifest) {
            val root = folder.canonicalFile
            for (entry in manifest.files) {
                val file = inside(root, entry.path)
                if (!file.isFile) throw UserError("$folder: ${entry.path} is in the manifest but not in the folder")
                if (file.length() != entry.bytes) throw UserError("$folder: ${entry.path} has ${file.length()} bytes, the manifest says ${entry.bytes}")
                if (sha256(file) != entry.sha256) {
                    throw UserError("$folder: ${entry.path} has changed: its hash is not the manifest's ${entry.sha256.take(12)}...")
                }
            }
            val listed = manifest.files.map { it.path } + MANIFEST_FILE
            val extra = root.walkTopDown().filter { it.isFile }.map { it.relativeTo(root).invariantSeparatorsPath }.firstOrNull { it !in listed }
            if (extra != null) throw UserError("$folder: $extra is in the folder but not in the manifest")
        }

        /** Links and `..` resolved, the file must lie in the folder. */
        private fun inside(root: File, path: String): File {
            val file = root.resolve(path)
            if (File(path).isAbsolute || !file.canonicalFile.startsWith(root)) {
                throw UserError("manifest: file '$path' lies outside the artifact's folder")
            }
            return file
        }
    }
}
