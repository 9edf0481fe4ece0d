"""The memory-bandwidth probe: the denominator of MBU, with the run's threads, seconds before the run.

Each thread reads its part of one buffer. A pass lasts from the first thread's start to the last one's end, by stamps
taken in the threads, so that starting them is not counted.
"""

import statistics
import threading
import time
from collections.abc import Callable

import numpy as np

from scripts.records import Bandwidth, ProbeMethod, ProbePasses, ProbeProtocol

# Two float32 of 1.0: small integers would be denormal numbers, on which processors stumble.
TWO_ONES = 0x3F80_0000_3F80_0000


def probe_bandwidth(num_threads: int, protocol: ProbeProtocol) -> Bandwidth:
    """Measure with BLAS dot products (held to a thread each) and with 64-bit sums; the faster is the ceiling."""
    buffer = np.full(protocol.buffer_bytes // 8, TWO_ONES, np.int64)
    readers: dict[ProbeMethod, Callable[[np.ndarray], object]] = {
        ProbeMethod.BLAS_DOT: lambda part: np.dot(part.view(np.float32), part.view(np.float32)),
        ProbeMethod.ARRAY_SUM: np.sum,
    }
    passes = tuple(
        ProbePasses(
            method=method, num_threads=num_threads, bytes=buffer.nbytes,
            pass_ns=_passes(read, np.array_split(buffer, num_threads), protocol.passes),
        )
        for method, read in readers.items()
    )  # fmt: skip
    speeds = {each.method: each.bytes / statistics.median(each.pass_ns) * 1e9 for each in passes}
    best = max(speeds, key=speeds.__getitem__)
    return Bandwidth(passes=passes, best=best, ceiling_bytes_per_s=speeds[best])


def _passes(read: Callable[[np.ndarray], object], parts: list[np.ndarray], passes: int) -> tuple[int, ...]:
    """Nanoseconds of each pass, after one that is not counted."""
    starts, ends = np.zeros((2, passes + 1, len(parts)), np.int64)
    barrier = threading.Barrier(len(parts))

    def work(thread: int) -> None:
        for number in range(passes + 1):
            barrier.wait()
            starts[number, thread] = time.perf_counter_ns()
            read(parts[thread])
            ends[number, thread] = time.perf_counter_ns()

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(len(parts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tuple(int(ns) for ns in (ends.max(axis=1) - starts.min(axis=1))[1:])
