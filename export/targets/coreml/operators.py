"""What each MIL operator computes, in torch. An operator that is not here is an error, never a guess.

Products and sums are accumulated in float32; the evaluator then rounds each result to the type the program declares.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from models.errors import UserError

# Element types that `cast` can make, with numpy's and torch's names for them.
CAST_DTYPES = {"fp16": "float16", "fp32": "float32", "int32": "int32"}

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
    """softmax(query @ key.T / sqrt(head size) + mask) @ value; the scaled scores are rounded to the query's type.

    The runtime may hold scores in that type: one that it cannot hold must end up infinite here too.
    """
    scaled = query.float() * query.shape[-1] ** -0.5
    scores = (scaled @ key.float().transpose(-1, -2)).to(query.dtype).float()
    masked = scores if attn_mask is None else scores + attn_mask.float()
    return torch.softmax(masked, -1) @ value.float()


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
    begin_mask: Sizes | None = None,
    end_mask: Sizes | None = None,
    squeeze_mask: Sizes | None = None,
) -> Tensor:
    """numpy's x[begin:end:stride, ...]; a masked begin or end is the axis's own; a squeezed axis is indexed."""
    return x[_index(x.ndim, begin, end, stride, begin_mask, end_mask, squeeze_mask)]


def slice_update(
    x: Tensor,
    update: Tensor,
    begin: Sizes,
    end: Sizes,
    stride: Sizes | None = None,
    begin_mask: Sizes | None = None,
    end_mask: Sizes | None = None,
    squeeze_mask: Sizes | None = None,
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
    begin_mask: Sizes | None,
    end_mask: Sizes | None,
    squeeze_mask: Sizes | None,
) -> tuple[slice | int, ...]:
    index: list[slice | int] = []
    for axis in range(rank):
        first = None if begin_mask and begin_mask[axis] else begin[axis]
        last = None if end_mask and end_mask[axis] else end[axis]
        squeezed = squeeze_mask is not None and squeeze_mask[axis]
        index.append(begin[axis] if squeezed else slice(first, last, stride[axis] if stride else 1))
    return tuple(index)


def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y."""
    return x + y


def sub(x: Tensor, y: Tensor) -> Tensor:
    """x - y."""
    return x - y


def mul(x: Tensor, y: Tensor) -> Tensor:
    """x * y."""
    return x * y


def relu(x: Tensor) -> Tensor:
    """max(x, 0)."""
    return torch.relu(x)


def silu(x: Tensor) -> Tensor:
    """x * sigmoid(x)."""
    return functional.silu(x)


def cast(x: Tensor, dtype: str) -> Tensor:
    """`x` as `dtype`, in MIL's short names."""
    return x.to(getattr(torch, CAST_DTYPES[dtype]))


def shape(x: Tensor) -> Tensor:
    """Dimensions of `x`."""
    return torch.tensor(x.shape, dtype=torch.int32)


def tile(x: Tensor, reps: Sizes) -> Tensor:
    """`x` repeated as a whole along each axis."""
    return x.tile(tuple(reps))


def transpose(x: Tensor, perm: Sizes) -> Tensor:
    """Axes in another order."""
    return x.permute(tuple(perm))


OPERATORS: dict[str, Callable[..., Result]] = {
    function.__name__: function
    for function in (
        add, cast, concat, gather, linear, matmul, mul, reduce_mean, relu, reshape, rsqrt,
        scaled_dot_product_attention, shape, silu, slice_by_index, slice_update, softmax, split, sub, tile, transpose,
    )
}  # fmt: skip

# Parameters that are lists of integers or a number, not tensors to compute with.
INDEX_PARAMETERS = frozenset({
    "begin", "end", "stride", "begin_mask", "end_mask", "squeeze_mask", "axis", "axes", "keep_dims", "num_splits",
    "split_sizes", "interleave", "shape", "perm", "reps", "batch_dims", "validate_indices", "epsilon", "transpose_x",
    "transpose_y", "dtype",
})  # fmt: skip


def plain(value: Tensor | str) -> object:
    """A tensor as Python numbers, for the parameters above."""
    return value if isinstance(value, str) else value.tolist()
