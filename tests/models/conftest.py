"""Storage of int4 weights, as targets describe it."""

from collections.abc import Callable

import pytest

from export.quantization import Scheme, formats
from models.storage import Storage

StorageOf = Callable[..., Storage]


@pytest.fixture
def storage_of() -> StorageOf:
    def make(scheme: Scheme = Scheme.INT4, *, shared: bool = True, scale_bits: int = 16, kv_bits: int = 16) -> Storage:
        return Storage(formats(scheme, scale_bits, 32), shared_table=shared, kv_bits=kv_bits)

    return make


@pytest.fixture
def int4(storage_of: StorageOf) -> Storage:
    """Groups of 32 with 16-bit scales, one table for embedding and head, 16-bit cache."""
    return storage_of()
