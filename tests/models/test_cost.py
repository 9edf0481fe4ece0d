from dataclasses import replace

import pytest

from export.quantization import Scheme
from models.catalog import get_shape
from models.cost import (
    activation_bytes,
    bits_per_weight,
    flops,
    kv_bytes_per_position,
    kv_bytes_read,
    parameter_counts,
    stored_bytes,
    token_cost,
    weight_bytes_read,
)
from models.errors import UserError
from models.shape import MlpShape, TransformerShape
from models.storage import Storage
from models.tensors import LAYER_MATRICES, tensors


@pytest.mark.parametrize(
    ("name", "total", "body"),
    [
        ("mobilellm-125m", 124_635_456, 106_203_456),
        ("mobilellm-350m", 345_355_200, 314_635_200),
        ("mobilellm-600m", 603_188_352, 566_324_352),
        ("mobilellm-1b", 1_005_461_760, 964_501_760),
        ("mobilellm-1.5b", 1_511_188_800, 1_459_988_800),
    ],
)
def test_parameters_of_the_mobilellm_paper(name: str, total: int, body: int):
    counts = parameter_counts(get_shape(name))
    assert (counts.total, counts.body, counts.head) == (total, body, 0)


def test_millions_as_printed_on_the_model_cards():
    names = ("mobilellm-125m", "mobilellm-350m", "mobilellm-600m", "mobilellm-1b", "mobilellm-1.5b")
    millions = [round(parameter_counts(get_shape(name)).total / 1e6, 1) for name in names]
    assert millions == [124.6, 345.4, 603.2, 1005.5, 1511.2]


def test_parameters_of_the_seed_article_are_not_matched():
    assert parameter_counts(MlpShape(num_layers=4, hidden_size=4096)).total == 41_956_352
    assert parameter_counts(MlpShape(num_layers=32, hidden_size=512)).total == 8_929_792


def test_parameters_add_up_for_every_variant(variant: TransformerShape):
    counts = parameter_counts(variant)
    assert counts.total == counts.embedding + counts.body + counts.head == sum(s.size for s in tensors(variant))
    assert counts.head == (0 if variant.tie_embeddings else variant.vocab_size * variant.hidden_size)


def test_int4_bytes_of_30x576_by_hand(int4: Storage):
    linears, norms, table = 30 * (2 * 576 * 576 + 3 * 576 * 1536), 61 * 576, 32_000 * (576 + 4)
    keys_and_values = 30 * 2 * 192 * (576 + 4)  # 8 bits and one float32 scale a row, as the table
    layers = linears * 4.5 / 8 + keys_and_values + norms * 4
    stored = stored_bytes(get_shape("mobilellm-125m"), int4)
    assert (stored.embedding, stored.head, stored.layers) == (0, table, layers)
    assert stored.total == stored.head + stored.layers
    row = 576 + 4
    assert weight_bytes_read(get_shape("mobilellm-125m"), int4) == stored.total + row


def test_a_table_of_its_own_is_stored_but_only_one_row_is_read(tiny: TransformerShape, storage_of):
    shared, separate = storage_of(shared=True), storage_of(shared=False)
    table, row = tiny.vocab_size * (tiny.hidden_size + 4), tiny.hidden_size + 4  # int8, one float32 scale a row
    assert stored_bytes(tiny, separate).embedding == table
    assert stored_bytes(tiny, separate).total == stored_bytes(tiny, shared).total + table
    assert weight_bytes_read(tiny, separate) == stored_bytes(tiny, shared).total + row


def test_untied_tables_are_never_shared(tiny: TransformerShape, storage_of):
    untied = replace(tiny, tie_embeddings=False)
    assert stored_bytes(untied, storage_of(shared=True)) == stored_bytes(untied, storage_of(shared=False))
    assert stored_bytes(untied, storage_of(shared=True)).embedding > 0


def test_fp32_stores_four_bytes_for_every_parameter(variant: TransformerShape, storage_of):
    fp32 = storage_of(Scheme.FP32)
    assert stored_bytes(variant, fp32).total == 4 * parameter_counts(variant).total
    assert bits_per_weight(variant, fp32).average == 32


def test_bits_per_weight_include_scales(tiny: TransformerShape, storage_of):
    bits = bits_per_weight(tiny, storage_of(shared=False))
    assert (bits.embedding, bits.head) == (8 + 32 / 64, 8 + 32 / 64)
    assert 4.5 < bits.linear < 5.5  # keys and values have 8 bits
    mixed = bits_per_weight(tiny, storage_of(Scheme.MIXED)).linear
    assert bits.linear < mixed < 8
    assert bits_per_weight(tiny, storage_of(shared=True)).embedding is None
    assert bits_per_weight(tiny, storage_of(scale_bits=32)).linear > bits.linear
    assert bits_per_weight(MlpShape(num_layers=2, hidden_size=64), storage_of(Scheme.INT8)).head is None


def test_average_bits_count_norms_and_a_table_stored_twice(tiny: TransformerShape, storage_of):
    once, twice = (bits_per_weight(tiny, storage_of(shared=shared)).average for shared in (True, False))
    assert 4.5 < once < twice


def test_sharing_layers_adds_cache_and_flops_but_no_weights(tiny: TransformerShape, int4: Storage):
    repeated = replace(tiny, layer_repeats=2)
    assert parameter_counts(repeated) == parameter_counts(tiny)
    assert weight_bytes_read(repeated, int4) == weight_bytes_read(tiny, int4)
    assert kv_bytes_per_position(repeated, int4) == 2 * kv_bytes_per_position(tiny, int4)
    head = 2 * tiny.vocab_size * tiny.hidden_size
    assert flops(repeated, 1, 10) - head == 2 * (flops(tiny, 1, 10) - head)


def test_kv_bytes(int4: Storage, storage_of):
    deep, wide = get_shape("mobilellm-125m"), get_shape("mobilellm-125m-12")
    assert (kv_bytes_per_position(deep, int4), kv_bytes_per_position(wide, int4)) == (23_040, 13_824)
    assert kv_bytes_per_position(deep, storage_of(kv_bits=32)) == 46_080
    assert kv_bytes_read(deep, int4, 900) == 900 * 23_040
    assert kv_bytes_read(MlpShape(num_layers=2, hidden_size=64), int4, 900) == 0


def test_decode_flops_are_two_per_weight_plus_attention(variant: TransformerShape):
    matrices = sum(spec.size for spec in tensors(variant) if spec.role in LAYER_MATRICES) * variant.layer_repeats
    head = variant.vocab_size * variant.hidden_size
    attention = variant.num_passes * 2 * variant.query_size * 100
    assert flops(variant, 1, 100) == 2 * (matrices + head + attention)


def test_prefill_flops_are_those_of_its_tokens_less_what_only_the_last_one_needs(tiny: TransformerShape):
    one_by_one = sum(flops(tiny, 1, context) for context in range(1, 9))
    after_last_attention = tiny.query_size * tiny.hidden_size + 3 * tiny.hidden_size * tiny.ffn_size
    head = tiny.vocab_size * tiny.hidden_size
    assert flops(tiny, 8, 8) == one_by_one - 7 * 2 * (after_last_attention + head)


def test_a_prompt_in_two_chunks_attends_as_much_as_in_one(tiny: TransformerShape):
    whole, first, second = flops(tiny, 8, 8), flops(tiny, 5, 5), flops(tiny, 3, 8)
    last_token_only = tiny.query_size * tiny.hidden_size + 3 * tiny.hidden_size * tiny.ffn_size
    assert first + second == whole + 2 * (last_token_only + tiny.vocab_size * tiny.hidden_size)


@pytest.mark.parametrize(("tokens", "context"), [(0, 4), (5, 4)])
def test_flops_of_an_impossible_call(tiny: TransformerShape, tokens: int, context: int):
    with pytest.raises(UserError, match=f"tokens {tokens} must lie between 1 and context {context}"):
        flops(tiny, tokens, context)


def test_activations_of_the_seed_article_grow_with_depth_and_their_peak_with_width():
    wide, deep = (activation_bytes(get_shape(f"seed-mlp-{arm}")) for arm in ("wide", "deep"))
    assert (wide.sum, deep.sum) == (3 * 4096 * 4, 31 * 512 * 4)
    assert (wide.peak_live, deep.peak_live) == ((4096 + 4096) * 4, (1024 + 512) * 4)


def test_activations_of_a_decoder_by_hand(tiny: TransformerShape):
    hidden, query, kv, ffn = 64, 128, 64, 160
    block = (query + 2 * kv) + query + hidden + 2 * hidden + 3 * ffn + hidden + 2 * hidden
    measured = activation_bytes(tiny)
    assert measured.sum == 4 * (2 * hidden + 3 * block)
    assert measured.peak_live == 4 * (hidden + 3 * ffn)  # gate, up, their product and the residual stream
    assert activation_bytes(replace(tiny, num_layers=9)).peak_live == measured.peak_live


def test_token_cost_gathers_the_functions(tiny: TransformerShape, int4: Storage):
    cost = token_cost(tiny, int4, 50)
    assert cost.kv_bytes_read == 50 * cost.kv_bytes_per_position == kv_bytes_read(tiny, int4, 50)
    assert cost.weight_bytes_read == weight_bytes_read(tiny, int4)
    assert cost.activation_bytes == activation_bytes(tiny)
    assert (cost.decode_flops, cost.prefill_flops_per_token) == (flops(tiny, 1, 50), flops(tiny, 50, 50) / 50)


def test_an_mlp_costs_the_same_at_any_context(tiny_mlp: MlpShape, int4: Storage):
    cost = token_cost(tiny_mlp, int4, 7)
    weights = 96 * 64 + 2 * 64 * 64 + 64 * 32
    assert cost.decode_flops == cost.prefill_flops_per_token == 2 * weights
    assert cost.weight_bytes_read == weights * 4.5 / 8 + 4 * (3 * 64 + 32)
    assert (cost.kv_bytes_per_position, cost.kv_bytes_read) == (0, 0)
