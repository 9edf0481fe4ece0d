"""Where the tensors of a program lie in its arena."""

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 16  # of every tensor, in bytes: ExecuTorch's default


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A tensor of `num_bytes`, in use from instruction `first` to instruction `last`, both included."""

    num_bytes: int
    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        """Whether both are in use at some instruction."""
        return self.first <= other.last and other.first <= self.last


def plan(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Offsets by greedy best effort: large tensors first, each at the lowest gap among those alive with it.

    Returns:
        The byte offset of each tensor and the size of the arena.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    arena = 0
    for index in sorted(range(len(lifetimes)), key=lambda i: -lifetimes[i].num_bytes):
        tensor = lifetimes[index]
        neighbours = sorted((offsets[i], lifetimes[i].num_bytes) for i in placed if lifetimes[i].overlaps(tensor))
        offset = 0
        for start, size in neighbours:
            if offset + tensor.num_bytes <= start:
                break
            offset = max(offset, _aligned(start + size))
        offsets[index] = offset
        placed.append(index)
        arena = max(arena, _aligned(offset + tensor.num_bytes))
    return offsets, arena


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT
