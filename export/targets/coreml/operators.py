"""What each MIL operator computes, in torch. An operator that is not here is an error, never a guess.

Products and sums are accumulated in float32; the evaluator then rounds each result to the type the program declares.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.errors import UserError

Result = Tensor | Sequence[Tensor]
# Numbers in the program arrive as tensors if they are results, else as plain Python values (see `evaluator`).
Sizes = Sequence[int]


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias."""
    return functional.linear(x.float(), weight.float(), None if bias is None else bias.float())


def matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    """Matrix product of the last two axes."""
    left = x.float().transpose(-1, -2) if transpose_x else x.float()
    right = y.float().transpose(-1, -2) if transpose_y else y.float()
    return left @ right


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None) -> Tensor:
    """softmax(query @ key.T / sqrt(head size) + mask) @ value."""
    mask = attn_mask if attn_mask is None or attn_mask.dtype == torch.bool else attn_mask.float()
    return functional.scaled_dot_product_attention(query.float(), key.float(), value.float(), attn_mask=mask)


def softmax(x: Tensor, axis: int = -1) -> Tensor:
    """Softmax along one axis."""
    return torch.softmax(x.float(), axis)


def reduce_mean(x: Tensor, axes: Sizes | None = None, keep_dims: bool = False) -> Tensor:
    """Mean over some axes, or all."""
    return x.float().mean(list(range(x.ndim) if axes is None else axes), keepdim=keep_dims)


def rsqrt(x: Tensor, epsilon: float = 1e-12) -> Tensor:
    """1 / sqrt(x + epsilon)."""
    return torch.rsqrt(x.float() + epsilon)


def gather(x: Tensor, indices: Tensor, axis: int = 0, batch_dims: int = 0, validate_indices: bool = False) -> Tensor:
    """Entries of `x` along `axis`; the indices' own dimensions replace it."""
    if batch_dims or validate_indices:
        raise UserError("evaluator: gather with batch_dims or validate_indices is not supported")
    picked = x.index_select(axis, indices.flatten().long())
    return picked.unflatten(axis, tuple(indices.shape))


def slice_by_index(
    x: Tensor,
    begin: Sizes,
    end: Sizes,
    stride: Sizes | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    """numpy's x[begin:end:stride, ...]; a masked begin or end is the axis's own; a squeezed axis is indexed."""
    return x[_index(x.ndim, begin, end, stride, begin_mask, end_mask, squeeze_mask)]


def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Sizes,
    end: Sizes,
    stride: Sizes | None = None,
    begin_mask: Sequence[bool] | None = None,
    end_mask: Sequence[bool] | None = None,
    squeeze_mask: Sequence[bool] | None = None,
) -> Tensor:
    """`x` with one slice replaced, in place: the evaluator copies `x` first where that could be seen."""
    target = x[_index(x.ndim, begin, end, stride, begin_mask, end_mask, squeeze_mask)]
    if target.shape != update.shape:
        raise ValueError(f"slice_update: a slice of {tuple(target.shape)} cannot take {tuple(update.shape)}")
    target.copy_(update)
    return x


def split(x: Tensor, axis: int, num_splits: int | None = None, split_sizes: Sizes | None = None) -> tuple[Tensor, ...]:
    """Parts of equal or of given sizes."""
    if split_sizes is None:
        assert num_splits is not None
        return x.chunk(num_splits, axis)
    return x.split(list(split_sizes), axis)


def concat(values: Sequence[Tensor], axis: int, interleave: bool = False) -> Tensor:
    """The values one after the other along `axis`."""
    if interleave:
        raise UserError("evaluator: concat with interleave is not supported")
    return torch.cat(list(values), axis)


def reshape(x: Tensor, shape: Sizes) -> Tensor:
    """Same elements in other dimensions: 0 keeps the dimension at its place, one -1 is inferred."""
    return x.reshape([x.shape[axis] if size == 0 else size for axis, size in enumerate(shape)])


def _index(
    rank: int,
    begin: Sizes,
    end: Sizes,
    stride: Sizes | None,
    begin_mask: Sequence[bool] | None,
    end_mask: Sequence[bool] | None,
    squeeze_mask: Sequence[bool] | None,
) -> tuple[slice | int, ...]:
    index: list[slice | int] = []
    for axis in range(rank):
        first = None if begin_mask and begin_mask[axis] else begin[axis]
        last = None if end_mask and end_mask[axis] else end[axis]
        squeezed = squeeze_mask is not None and squeeze_mask[axis]
        index.append(begin[axis] if squeezed else slice(first, last, stride[axis] if stride else 1))
    return tuple(index)


OPERATORS: dict[str, Callable[..., Result]] = {
    "add": lambda x, y: x + y,
    "cast": lambda x, dtype: x,
    "concat": concat,
    "gather": gather,
    "linear": linear,
    "matmul": matmul,
    "mul": lambda x, y: x * y,
    "reduce_mean": reduce_mean,
    "relu": lambda x: torch.relu(x),
    "reshape": reshape,
    "rsqrt": rsqrt,
    "scaled_dot_product_attention": scaled_dot_product_attention,
    "shape": lambda x: torch.tensor(x.shape, dtype=torch.int32),
    "silu": lambda x: functional.silu(x),
    "slice_by_index": slice_by_index,
    "slice_update": slice_update,
    "softmax": softmax,
    "split": split,
    "sub": lambda x, y: x - y,
    "tile": lambda x, reps: x.tile(tuple(reps)),
    "transpose": lambda x, perm: x.permute(tuple(perm)),
}

# Parameters that are lists of integers or a number, not tensors to compute with.
INDEX_PARAMETERS = frozenset({
    "begin", "end", "stride", "begin_mask", "end_mask", "squeeze_mask", "axis", "axes", "keep_dims", "num_splits",
    "split_sizes", "interleave", "shape", "perm", "reps", "batch_dims", "validate_indices", "epsilon", "transpose_x",
    "transpose_y", "dtype",
})  # fmt: skip


def plain(value: Any) -> Any:
    """A tensor or array as Python numbers, for the parameters above."""
    return value if isinstance(value, str) else value.tolist()
