"""Imported before numpy and the runtimes: their own thread pools have one thread.

Thread pools read their environment when they are loaded: ExecuTorch's attention would start as many OpenMP threads as
there are cores, beside the runtime's own, and a BLAS would thread the bandwidth probe a second time.
"""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"
