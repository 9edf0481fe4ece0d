"""What a shape costs: parameters, bytes, activations and FLOPs. Nothing else in the project computes them.

Parameters and bytes are sums over `models.tensors`, activations and FLOPs come out of the walk that every target is
written by, so neither can drift from what is exported.
"""

from dataclasses import dataclass

from models.errors import UserError
from models.meter import metered
from models.shape import MlpShape, Shape, TransformerShape
from models.storage import Storage
from models.tensors import LAYER_MATRICES, Role, TensorSpec, tensors

FP32_BYTES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ParameterCounts:
    """Numbers of parameters.

    Attributes:
        total: embedding + body + head.
        body: everything but the two vocabulary tables: linears, norms (the final one too) and biases.
        embedding: the embedding table; 0 for an MLP.
        head: an untied output projection. 0 where it is tied: those parameters are the embedding's.
    """

    total: int
    body: int
    embedding: int
    head: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredBytes:
    """Bytes of the weights in an artifact, scales included; the graph around them is not counted.

    Attributes:
        embedding: the embedding table; 0 if it is stored as the head's table, or for an MLP.
        head: the output projection, which is also where a shared table is counted.
        layers: linears, norms and biases.
    """

    embedding: int
    head: int
    layers: int

    @property
    def total(self) -> int:
        """Bytes of all weights."""
        return self.embedding + self.head + self.layers


@dataclass(frozen=True, kw_only=True, slots=True)
class BitsPerWeight:
    """Bits really stored for one weight, scales included. None where no table of that role is stored.

    Attributes:
        average: all stored bits / all parameters, so a tied table that is stored twice counts twice.
    """

    embedding: float | None
    head: float | None
    linear: float
    average: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivationBytes:
    """Activations of one token in float32, batch 1. The network's own output (the logits) is left out of both.

    Attributes:
        sum: what all operators together produce. For an MLP that is the sum of its hidden layers' outputs, the figure
            the seed article computes. Traffic, if nothing stayed in a cache; it grows with depth.
        peak_live: the most that must exist at once: an operator's inputs and output and the residual stream.
            It does not depend on depth.
    """

    sum: int
    peak_live: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenCost:
    """What one token costs when the cache holds `context` positions.

    Attributes:
        context: positions attended, the token's own included.
        weight_bytes_read: see `weight_bytes_read`.
        kv_bytes_per_position: see `kv_bytes_per_position`.
        kv_bytes_read: see `kv_bytes_read`.
        activation_bytes: see `activation_bytes`.
        decode_flops: one new token that attends `context` positions.
        prefill_flops_per_token: a prompt of `context` tokens in one call, divided by its tokens.
    """

    context: int
    weight_bytes_read: int
    kv_bytes_per_position: int
    kv_bytes_read: int
    activation_bytes: ActivationBytes
    decode_flops: int
    prefill_flops_per_token: float


def token_cost(shape: Shape, storage: Storage, context: int) -> TokenCost:
    """All costs of a token at `context`; an MLP, which has no context, costs the same at any."""
    return TokenCost(
        context=context,
        weight_bytes_read=weight_bytes_read(shape, storage),
        kv_bytes_per_position=kv_bytes_per_position(shape, storage),
        kv_bytes_read=kv_bytes_read(shape, storage, context),
        activation_bytes=activation_bytes(shape),
        decode_flops=flops(shape, 1, context),
        prefill_flops_per_token=flops(shape, context, context) / context,
    )


def parameter_counts(shape: Shape) -> ParameterCounts:
    """Count the parameters of `shape`; a block that runs several times (`layer_repeats`) counts once."""
    sizes = dict.fromkeys(Role, 0)
    for spec in tensors(shape):
        sizes[spec.role] += spec.size
    embedding, head = sizes[Role.EMBEDDING], sizes[Role.HEAD]
    total = sum(sizes.values())
    return ParameterCounts(total=total, body=total - embedding - head, embedding=embedding, head=head)


def stored_bytes(shape: Shape, storage: Storage) -> StoredBytes:
    """Bytes of all weights as `storage` keeps them."""
    layers = sum(_num_bytes(spec, storage) for spec in tensors(shape) if spec.role not in (Role.EMBEDDING, Role.HEAD))
    if isinstance(shape, MlpShape):
        return StoredBytes(embedding=0, head=0, layers=layers)
    table = (shape.vocab_size, shape.hidden_size)
    shared = _shares_table(shape, storage)
    return StoredBytes(
        embedding=0 if shared else storage.formats[Role.EMBEDDING].num_bytes(*table),
        head=storage.formats[Role.HEAD].num_bytes(*table),
        layers=layers,
    )


def weight_bytes_read(shape: Shape, storage: Storage) -> int:
    """Weight bytes one decoded token reads: the layers, the head and one row of the embedding, scales included.

    W = bits/8 * (L * (d * hd * (2h + 2kv) + 3 * d * f) + V * d) + scales + norms and biases + one row. A table that
    embedding and head share is read once, as the head. So are the weights of a block that runs twice in a row: its
    second pass finds them in a cache. MobileLLM measured 16.0 ms a token for 30 blocks run twice against 15.6 ms for
    30 run once and 29.0 ms for 60 blocks (arXiv 2402.14905, iPhone 13).
    """
    stored = stored_bytes(shape, storage)
    return stored.layers + stored.head + _embedding_row_bytes(shape, storage)


def bits_per_weight(shape: Shape, storage: Storage) -> BitsPerWeight:
    """Bits per weight of each role, scales included."""
    stored = stored_bytes(shape, storage)
    linears = [spec for spec in tensors(shape) if spec.role in LAYER_MATRICES]
    table = shape.vocab_size * shape.hidden_size if isinstance(shape, TransformerShape) else 0
    return BitsPerWeight(
        embedding=8 * stored.embedding / table if stored.embedding else None,
        head=8 * stored.head / table if stored.head else None,
        linear=8 * sum(_num_bytes(spec, storage) for spec in linears) / sum(spec.size for spec in linears),
        average=8 * stored.total / parameter_counts(shape).total,
    )


def kv_bytes_per_position(shape: Shape, storage: Storage) -> int:
    """Bytes of keys and values that one position adds to the cache: 2 * passes * kv heads * head_dim * width.

    Every pass of a repeated block has keys and values of its own.
    """
    if isinstance(shape, MlpShape):
        return 0
    return 2 * shape.num_passes * shape.kv_size * storage.kv_bits // 8


def kv_bytes_read(shape: Shape, storage: Storage, context: int) -> int:
    """Bytes of keys and values that a token attending `context` positions reads.

    A lower bound: a runtime that attends its whole allocated window reads more.
    """
    return context * kv_bytes_per_position(shape, storage)


def activation_bytes(shape: Shape) -> ActivationBytes:
    """Activations of one token, over the operators of the walk with gate and up projections as two operators.

    Views and element-wise operators that can work in place (ReLU, rotary positions) produce nothing new, and
    attention keeps no scores (it is computed in tiles).
    """
    meter = metered(shape, tokens=1, context=1)
    return ActivationBytes(sum=FP32_BYTES * sum(meter.produced[:-1]), peak_live=FP32_BYTES * max(meter.live[:-1]))


def flops(shape: Shape, tokens: int, context: int) -> int:
    """Floating-point operations of one call.

    Convention: 2 per multiply-add of a matrix product (linears, query times keys, weights times values), nothing for
    norms, softmax, activations and rotary positions. Attention is causal and counts only the pairs it needs. Logits
    are computed for the call's last token alone, as the exported graphs do.

    Args:
        shape: decoder, or an MLP whose rows are the tokens.
        tokens: tokens of this call; 1 is a decode step.
        context: positions that the last of them attends, its own included; `tokens == context` is a whole prefill.

    Raises:
        UserError: `tokens` does not lie between 1 and `context`.
    """
    if not 1 <= tokens <= context:
        raise UserError(f"flops: tokens {tokens} must lie between 1 and context {context}")
    return 2 * metered(shape, tokens, context).multiply_adds


def _num_bytes(spec: TensorSpec, storage: Storage) -> int:
    rows, columns = (1, spec.rows) if spec.columns is None else (spec.rows, spec.columns)
    return storage.formats[spec.role].num_bytes(rows, columns)


def _shares_table(shape: TransformerShape, storage: Storage) -> bool:
    return shape.tie_embeddings and storage.shared_table


def _embedding_row_bytes(shape: Shape, storage: Storage) -> int:
    if isinstance(shape, MlpShape):
        return 0
    form = storage.formats[Role.HEAD if _shares_table(shape, storage) else Role.EMBEDDING]
    return form.num_bytes(1, shape.hidden_size)
