package dev.deepnarrow.harness.ui

/** Runs with latencies around a median, for tests of what the screens say. */
internal fun run(
    side: Side,
    medianMs: Double,
    id: String = "$side-$medianMs",
    contexts: List<Int> = listOf(0, 512),
    invalid: List<String> = emptyList(),
    ending: Ending = Ending.COMPLETED,
    ceilingBytesPerS: Double? = 20e9,
    device: String = "example device",
    started: String = "2026-11-25T19:40:00Z",
    contentId: String = "$side",
    results: Results = Results("example setup", "example pair"),
    place: String? = null,
) = RunSummary(
    runId = id,
    startedUtc = started,
    side = side,
    shapeName = if (side == Side.DEEP) "deep-30x576" else "wide-12x864",
    contentId = contentId,
    results = results,
    place = place,
    beforeItReported = results.pool + " before it reported",
    title = "${results.name}, onnx int4, 4 threads",
    device = device,
    osBuild = "example/build",
    appBuild = "0.1.0 abcdef",
    phone = false,
    ending = ending,
    message = if (ending == Ending.COMPLETED) null else "battery at 38.5 °C, the limit is 37.0 °C",
    invalid = invalid,
    warnings = emptyList(),
    contexts = contexts.filter { ending != Ending.SKIPPED }.map { context ->
        ContextSummary(context, latencies(medianMs * (1 + context / 4096.0)), bytesPerToken = 80e6 + context * 20e3)
    },
    ceilingBytesPerS = ceilingBytesPerS,
    highWaterBytes = null,
)

/** 65 steps: the median is exact, some tokens are slower. */
private fun latencies(medianMs: Double) = LongArray(65) { i -> (medianMs * 1e6 * (0.98 + 0.04 * i / 64 + if (i % 31 == 30) 0.3 else 0.0)).toLong() }
