"""Wrap the Gradle scripts of this project as Kotlin functions that a compiler can type-check without Gradle.

usage: check_kts.py PROJECT OUT

Each script body becomes a function with Gradle's receiver; `libs.x.y` becomes objects made from the catalogue.
What this cannot see: plugin resolution, the task graph, the manifest merger, whether versions fit together.
"""

import pathlib
import re
import sys
import tomllib

IMPORTS = """import org.gradle.api.*
import org.gradle.api.artifacts.*
import org.gradle.api.artifacts.dsl.*
import org.gradle.api.initialization.*
import org.gradle.api.initialization.resolve.*
import org.gradle.api.plugins.*
import org.gradle.api.provider.*
import org.gradle.api.tasks.*
import org.gradle.api.tasks.bundling.*
import org.gradle.api.tasks.testing.Test
import org.gradle.jvm.tasks.Jar
import org.gradle.plugin.use.*
import org.gradle.plugin.management.*
import org.jetbrains.kotlin.gradle.dsl.KotlinJvmCompilerOptions
import org.jetbrains.kotlin.gradle.dsl.KotlinJvmExtension
"""
SHIMS = """val libs = Libs()
class Deps(val handler: DependencyHandler) {
    fun implementation(x: Any) { handler.add("implementation", x) }
    fun compileOnly(x: Any) { handler.add("compileOnly", x) }
    fun testImplementation(x: Any) { handler.add("testImplementation", x) }
    fun testRuntimeOnly(x: Any) { handler.add("testRuntimeOnly", x) }
    fun project(path: String): Dependency = handler.project(mapOf("path" to path))
}
fun Project.dependencies(a: Deps.() -> Unit) { Deps(dependencies).a() }
fun Project.android(a: com.android.build.api.dsl.ApplicationExtension.() -> Unit) {
    extensions.configure(com.android.build.api.dsl.ApplicationExtension::class.java) { a(this) }
}
fun Project.java(a: JavaPluginExtension.() -> Unit) {
    extensions.configure(JavaPluginExtension::class.java) { a(this) }
}
fun Project.kotlin(a: KotlinJvmExtension.() -> Unit) {
    extensions.configure(KotlinJvmExtension::class.java) { a(this) }
}
fun KotlinJvmExtension.compilerOptions(a: KotlinJvmCompilerOptions.() -> Unit) { compilerOptions.a() }
fun PluginDependenciesSpec.alias(p: Provider<PluginDependency>): PluginDependencySpec = alias(p)
infix fun PluginDependencySpec.apply(now: Boolean): PluginDependencySpec = apply(now)
inline fun <reified T : Task> TaskContainer.named(n: String, noinline a: T.() -> Unit) {
    named(n, T::class.java) { a(this) }
}
fun Project.plugins(a: PluginDependenciesSpec.() -> Unit) {}
"""


def tree(aliases: dict[str, object], leaf: str) -> dict:
    """Nested dictionaries of the alias parts, as Gradle's accessors nest them."""
    root: dict = {}
    for alias in aliases:
        *parents, last = re.split(r"[-_.]", alias)
        node = root
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = leaf
    return root


def classes(name: str, node: dict) -> str:
    """Kotlin classes with one property per accessor."""
    lines = [
        f"    val {key}: {f'{name}_{key}' if isinstance(value, dict) else value} get() = TODO()"
        for key, value in node.items()
    ]
    own = f"class {name} {{\n" + "\n".join(lines) + "\n}\n"
    return own + "".join(classes(f"{name}_{key}", value) for key, value in node.items() if isinstance(value, dict))


def main(project: pathlib.Path, out: pathlib.Path) -> None:
    """Write Shim.kt and one file per script to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    catalogue = tomllib.loads((project / "gradle/libs.versions.toml").read_text())
    accessors = {
        **tree(catalogue["libraries"], "Provider<MinimalExternalModuleDependency>"),
        "versions": tree(catalogue["versions"], "Provider<String>"),
        "plugins": tree(catalogue["plugins"], "Provider<PluginDependency>"),
    }
    (out / "Shim.kt").write_text(IMPORTS + classes("Libs", accessors) + SHIMS)
    scripts = [*sorted(project.glob("build.gradle.kts")), *sorted(project.glob("*/build.gradle.kts"))]
    for script in [*scripts, project / "settings.gradle.kts"]:
        name = re.sub(r"\W", "_", str(script.relative_to(project)))
        receiver = "Settings" if script.name.startswith("settings") else "Project"
        lines = script.read_text().splitlines()
        imports = [line for line in lines if line.startswith("import ")]
        body = [line for line in lines if line not in imports]
        text = "\n".join([IMPORTS, *imports, f"fun {receiver}.{name}() {{", *body, "}\n"])
        (out / f"{name}.kt").write_text(text)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
