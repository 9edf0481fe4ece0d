"""How long a transfer to a phone may take."""

# Far below USB 2 and Wi-Fi, so that only a transfer that has stalled is ended: 2 GiB get an hour and more.
SLOWEST_BYTES_PER_S = 512 << 10
EXTRA_S = 60.0


def transfer_timeout_s(total_bytes: int) -> float:
    """For a transfer of so many bytes to any phone."""
    return total_bytes / SLOWEST_BYTES_PER_S + EXTRA_S
