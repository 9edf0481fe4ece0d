package dev.deepnarrow.core

import com.networknt.schema.InputFormat
import com.networknt.schema.SchemaRegistry
import com.networknt.schema.SpecificationVersion
import java.io.File

/** Files of the repository that these tests are part of. */
internal object Repository {
    val root: File = generateSequence(File("").absoluteFile) { it.parentFile }.firstOrNull { it.resolve("tests/golden").isDirectory }
        ?: error("no folder above ${File("").absolutePath} holds tests/golden")

    private val registry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)

    fun golden(name: String): File = root.resolve("tests/golden/$name.json")

    /** What the schema of that name, which Python generates, finds wrong with a file; empty for a valid one. */
    fun schemaErrors(schema: String, file: File): List<String> =
        registry.getSchema(root.resolve("scripts/records/schemas/$schema.json").readText()).validate(file.readText(), InputFormat.JSON).map { it.toString() }
}
