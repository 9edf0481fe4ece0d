"""How fast the processors read memory: the ceiling that decode speeds are compared with.

Each thread multiplies its part of a float32 array with itself (BLAS sdot, held to one thread): one stream of reads, no
writes, and too little arithmetic to be the limit. The array is many times the last-level cache.
"""

import sys
import threading
import time

import numpy as np

from scripts.bench.processes import run_for_json

ARRAY_BYTES = 512 << 20
REPEATS = 8


def measure_bandwidth(num_threads: int) -> float:
    """Bytes read per second by `num_threads` threads, best of `REPEATS`, in a process of its own."""
    one_each = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return float(run_for_json("scripts.bench.bandwidth", [str(num_threads)], one_each))


def _read_all(parts: list[np.ndarray]) -> float:
    """Seconds in which every part was read once, by a thread each."""
    threads = [threading.Thread(target=np.dot, args=(part, part)) for part in parts]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def main() -> None:
    """Print bytes per second; the argument is the number of threads."""
    array = np.ones(ARRAY_BYTES // 4, np.float32)
    parts = np.array_split(array, int(sys.argv[1]))
    print(array.nbytes / min(_read_all(parts) for _ in range(REPEATS)))


if __name__ == "__main__":
    main()
