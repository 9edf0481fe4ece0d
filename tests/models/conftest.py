"""Storage of int4 weights, as targets describe it."""

from collections.abc import Callable

import pytest

from export.quantization import ScaleForm, Scheme, formats
from models.storage import Storage

StorageOf = Callable[..., Storage]


@pytest.fixture
def storage_of() -> StorageOf:
    def make(scheme: Scheme = Scheme.INT4, *, shared: bool = True, scale_bits: int = 16, kv_bits: int = 16) -> Storage:
        scales = ScaleForm(group_bits=scale_bits, row_bits=32, signed=False)
        return Storage(formats(scheme, scales), shared_table=shared, kv_bits=kv_bits)

    return make


@pytest.fixture
def int4(storage_of: StorageOf) -> Storage:
    """Groups of 32 with 16-bit scales, rows with 32-bit ones, one table for embedding and head, 16-bit cache."""
    return storage_of()
