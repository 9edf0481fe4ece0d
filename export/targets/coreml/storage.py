"""How this target stores each role, and the names that the package shows to an app. Needs no SDK."""

from dataclasses import replace
from types import MappingProxyType

from export.quantization import ScaleForm, Scheme, formats
from export.targets.base import ExportSpec
from models.shape import TransformerShape
from models.storage import Storage, WeightFormat
from models.tensors import EMBEDDING, Role, TensorSpec, tensors

PACKAGE = "model.mlpackage"

# The names, types and ranks are those of swift-transformers' stateful models. Its stock generation loop does not run
# this model all the same: it passes the whole prompt in one call and wants the logits of all its tokens, whereas a call
# here takes at most prefill_chunk tokens and gives the logits of the last one.
INPUT_IDS = "inputIds"
CAUSAL_MASK = "causalMask"
KEY_CACHE = "keyCache"
VALUE_CACHE = "valueCache"
LOGITS = "logits"
MLP_INPUT = "x"
MLP_OUTPUT = "y"

# What a host writes into the causal mask at hidden positions: finite, because fp16 turns -inf - -inf into NaN.
MASKED = -30_000.0

# How to call the model, written into the package beside the inputs.
INPUT_IDS_DESCRIPTION = (
    "[1,T]: the T tokens of this call, at most prefill_chunk; they follow the E - T tokens that the cache holds"
)
CAUSAL_MASK_DESCRIPTION = (
    f"[1,1,T,E]: 0 where visible, {MASKED:.0f} where hidden; E = tokens in the cache after the call"
)
LOGITS_DESCRIPTION = "[1,1,V]: of the call's last token"


def storage(spec: ExportSpec) -> Storage:
    """Scales are float16, and so are the biases of quantised schemes, which compute in float16.

    The KV cache is float16 under every scheme: an MLState can hold nothing else.
    """
    roles = dict(formats(spec.scheme, ScaleForm(group_bits=16, row_bits=16, signed=True)))
    if spec.scheme is not Scheme.FP32:
        roles[Role.BIAS] = WeightFormat(16)
    return Storage(MappingProxyType(roles), shared_table=True, kv_bits=16)


def tensor_formats(spec: ExportSpec) -> dict[str, tuple[TensorSpec, WeightFormat]]:
    """Every tensor by name with its format; a tied table has the head's."""
    roles = storage(spec).formats
    tied = isinstance(spec.shape, TransformerShape) and spec.shape.tie_embeddings
    found = {tensor.name: (tensor, roles[tensor.role]) for tensor in tensors(spec.shape)}
    if tied:
        tensor, _ = found[EMBEDDING]
        found[EMBEDDING] = (replace(tensor, role=Role.HEAD), roles[Role.HEAD])
    return found
