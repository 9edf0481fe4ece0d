"""The claims table: every claim is there, and answers follow what was measured."""

import pytest

from export.quantization import Scheme
from models.pair import Arm
from scripts.analysis.cells import group_cells
from scripts.analysis.verdict import Word
from scripts.claims.answers import Answer, Claim, Finding, claims_table, settle
from scripts.claims.seed_article.pairs import AS_WRITTEN, EXAMPLE, MATCHED, SEED_PAIRS, pair_facts
from scripts.claims.seed_article.record import Comparison, Compute, Engine, Measurement, SeedArticle
from scripts.claims.seed_article.verdicts import article_verdicts
from scripts.claims.timings import Work, article_timings
from scripts.claims.training.record import LayerGradients, Task, TaskFacts, Training, TrainingRun, Variant
from scripts.claims.training.tasks import DECODER_PAIR, MLP_PAIR
from scripts.records import DeviceKind, Protocol
from scripts.testing.records.generator import Campaign, GeneratedDevice, generate_records, pair_networks

RUNS = 10
PROTOCOL = Protocol(prompt_lengths=(64,), contexts=(0,), decode_steps=8)


def article(*times: tuple[str, float, float], threads: int = 1, batch: int = 1) -> SeedArticle:
    """(pair, deep ms, wide ms) as if measured, with 1 % of spread that keeps neighbouring runs together."""
    return joined([
        Comparison(
            pair=pair, engine=Engine.EAGER, compute=Compute.CPU, device="a processor", threads=threads, batch=batch,
            calls=20, warm_up=3, deep_ns=runs(deep), wide_ns=runs(wide),
        )
        for pair, deep, wide in times
    ])  # fmt: skip


def joined(comparisons: list[Comparison]) -> SeedArticle:
    measurement = Measurement(date="", system="", processor="", cores=2, load_average=0, packages={})
    pairs = tuple(map(pair_facts, SEED_PAIRS))
    return SeedArticle(
        schema="deepnarrow/seed-article/1", measurement=measurement, pairs=pairs, comparisons=tuple(comparisons)
    )


def runs(ms: float) -> tuple[int, ...]:
    return tuple(int(ms * 1e6 * (1 + 0.001 * index)) for index in range(RUNS))


def answer(claim: Claim, **inputs) -> Answer:
    return row(claim, **inputs).answer


def row(claim: Claim, records=(), **inputs):
    return next(each for each in claims_table(group_cells(records), **inputs) if each.claim is claim)


def training_of(task: Task, losses: dict[tuple[Arm, Variant], list[float]], quick: bool = False) -> Training:
    pair = DECODER_PAIR if task is Task.TEXT else MLP_PAIR
    facts = TaskFacts(
        task=task, description="", loss="loss", trivial_loss=1, deep=pair.deep, wide=pair.wide, deep_parameters=1,
        wide_parameters=1, steps=9, learning_rates=(1e-3,),
    )  # fmt: skip
    trained = [
        TrainingRun(
            task=task, arm=arm, variant=variant, seed=seed, learning_rate=1e-3, pilot=False, curve=(), train_loss=loss,
            held_out_loss=loss, gradients=(LayerGradients(step=0, rms=(0.5, 1.0)),), diverged=False, wall_s=1,
        )
        for (arm, variant), values in losses.items()
        for seed, loss in enumerate(values)
    ]  # fmt: skip
    return Training(
        schema="deepnarrow/training/1", date="", system="", processor="", packages={}, threads=1, quick=quick,
        complete=True, seeds=(0, 1, 2), tasks=(facts,), runs=tuple(trained),
    )  # fmt: skip


def test_every_claim_has_a_row_with_a_definition_and_without_input_nothing_is_invented():
    table = claims_table()
    assert [each.claim for each in table] == list(Claim)
    computed = {Claim.ACTIVATIONS, Claim.PARAMETER_READS, Claim.BANDWIDTH}
    for each in table:
        assert each.title
        assert each.definition
        assert each.condition
        if each.claim not in computed:
            assert (each.answer, each.measured) == (Answer.NOT_MEASURED, ())
            assert "python -m scripts." in each.condition


def test_sizes_are_computed_without_any_run():
    # The wide arms have larger tables, which int4 keeps at 8 bits: of equal parameters they read 4 % more bytes.
    assert answer(Claim.PARAMETER_READS) is Answer.DEPENDS
    assert answer(Claim.BANDWIDTH) is Answer.DEPENDS
    reads = row(Claim.PARAMETER_READS)
    told = [text for text in reads.measured if "follows from the matching" in text]
    assert len(told) == len(reads.measured) - 1  # all but the article's own pair, whose totals differ
    assert "per token, not per second" in row(Claim.BANDWIDTH).definition
    assert "not independent" in row(Claim.CACHE).definition
    activations = row(Claim.ACTIVATIONS)
    assert activations.answer is Answer.DEPENDS
    assert activations.condition == "holds: peak of activations. Does not: sum of activations."


@pytest.mark.parametrize(
    ("deep_ms", "wide_ms", "expected"),
    [(2.0, 3.0, Answer.HOLDS), (3.0, 2.0, Answer.DOES_NOT_HOLD), (2.0, 2.0, Answer.DOES_NOT_HOLD)],
)
@pytest.mark.parametrize(
    ("pair", "claim"), [(MATCHED, Claim.LATENCY), (MATCHED, Claim.CACHE), (EXAMPLE, Claim.EXAMPLE)]
)
def test_an_answer_about_time_follows_the_times(pair, claim, deep_ms, wide_ms, expected):
    assert answer(claim, seed_article=article((pair, deep_ms, wide_ms))) is expected


def test_latency_that_differs_between_pairs_depends_on_them():
    found = row(Claim.LATENCY, seed_article=article((MATCHED, 2.0, 3.0), (EXAMPLE, 3.0, 2.0)))
    assert found.answer is Answer.DEPENDS
    assert found.condition.startswith(f"holds: {MATCHED} on a processor")
    assert f"Does not: {EXAMPLE} on a processor" in found.condition


def test_the_articles_own_pair_is_explained_by_size_and_decides_nothing():
    found = row(Claim.LATENCY, seed_article=article((AS_WRITTEN, 2.0, 9.4)))
    assert found.answer is Answer.NOT_MEASURED
    assert "Bytes alone predict a deep / wide ratio of 0.21; the rest, a factor of 1.00, is" in found.measured[0]


def test_too_few_runs_decide_nothing():
    one = article((MATCHED, 3.0, 2.0)).comparisons[0]
    short = one.model_copy(update={"deep_ns": one.deep_ns[:4], "wide_ns": one.wide_ns[:4]})
    found = row(Claim.LATENCY, seed_article=joined([short]))
    assert found.answer is Answer.NOT_MEASURED
    assert "not enough runs" in found.measured[0]


@pytest.mark.parametrize("batch", [1, 128])
def test_the_command_and_the_claims_word_one_file_alike(batch):
    # By itself each of 23 comparisons has a winner; in one family of 46 ten pairs of runs cannot name any.
    many = [*[("seed-mlp-matched", 2.0, 3.0)] * 23]
    both = joined([*article(*many, batch=1).comparisons, *article(*many, batch=128).comparisons])
    printed = {each.time.word for each in article_verdicts(both)}
    claimed = {
        each.verdict.word for each in article_timings(both, Work.SINGLE if batch == 1 else Work.MANY)
    }  # fmt: skip
    assert claimed == printed == {Word.NOT_ENOUGH}


def test_every_finding_of_the_article_says_that_its_repeats_are_inside_one_process():
    one, two = (
        article((MATCHED, 4.0, 3.0), (AS_WRITTEN, 2.0, 9.0), (EXAMPLE, 3.0, 2.0)),
        article((MATCHED, 3.0, 2.0), threads=2),
    )
    gpu = [each.model_copy(update={"device": "a GPU", "threads": None}) for each in one.comparisons]
    batch = article((MATCHED, 4.0, 3.0), batch=128).comparisons
    table = claims_table(seed_article=joined([*one.comparisons, *two.comparisons, *gpu, *batch]))
    timed = {
        Claim.LATENCY, Claim.PARALLELISM, Claim.SMALLER_MATMULS, Claim.CACHE, Claim.HARDWARE, Claim.EXAMPLE
    }  # fmt: skip
    for each in table:
        if each.claim in timed:
            assert each.measured
            assert all("inside one process" in text for text in each.measured)
    own = row(Claim.LATENCY, records=campaign(phone("one", 40e3)))
    assert own.measured
    assert not any("inside one process" in text for text in own.measured)


@pytest.mark.parametrize(
    ("deep_ms", "expected"), [(2.0, Answer.HOLDS), (3.0, Answer.HOLDS), (4.0, Answer.DOES_NOT_HOLD)]
)
def test_small_products_are_judged_by_batches(deep_ms, expected):
    measured = article((MATCHED, deep_ms, 3.0), batch=128)
    assert answer(Claim.SMALLER_MATMULS, seed_article=measured) is expected
    assert answer(Claim.LATENCY, seed_article=measured) is Answer.NOT_MEASURED


def test_noise_in_which_a_slower_deep_arm_could_hide_is_no_support_for_small_products():
    noisy = article((MATCHED, 3.0, 3.0), batch=128).comparisons[0]
    spread = (0.7, 1.6, 0.8, 1.4, 1.0, 0.75, 1.5, 0.9, 1.3, 1.0)
    noisy = noisy.model_copy(update={"deep_ns": tuple(int(3e6 * each) for each in spread)})
    found = row(Claim.SMALLER_MATMULS, seed_article=joined([noisy]))
    assert "no difference shown" in found.measured[0]
    assert found.answer is Answer.NOT_MEASURED


@pytest.mark.parametrize(("batch", "expected"), [(8, Answer.NOT_MEASURED), (32, Answer.HOLDS)])
def test_small_products_are_not_judged_where_memory_may_be_the_limit(batch, expected):
    found = row(Claim.SMALLER_MATMULS, seed_article=article((MATCHED, 2.0, 3.0), batch=batch))
    assert found.answer is expected
    assert ("may still be bound by memory" in found.measured[0]) == (expected is Answer.NOT_MEASURED)


def test_a_prompt_counts_with_the_rows_that_one_call_takes():
    records = campaign(phone("one", 0.0))
    chunked = [
        each.model_copy(update={"artifact": each.artifact.model_copy(update={"prefill_chunk": 8})}) for each in records
    ]
    assert answer(Claim.SMALLER_MATMULS, records=records) is Answer.HOLDS
    found = row(Claim.SMALLER_MATMULS, records=chunked)
    assert found.answer is Answer.NOT_MEASURED
    assert "8 rows a call" in found.measured[0]


@pytest.mark.parametrize(("deep_ms", "expected"), [(1.0, Answer.HOLDS), (3.0, Answer.DOES_NOT_HOLD)])
def test_parallelism_compares_the_gap_with_one_thread_and_with_two(deep_ms, expected):
    one, two = article((MATCHED, 4.0, 3.0)), article((MATCHED, deep_ms, 2.0), threads=2)
    both = joined([*one.comparisons, *two.comparisons])
    assert answer(Claim.PARALLELISM, seed_article=one) is Answer.NOT_MEASURED
    assert answer(Claim.PARALLELISM, seed_article=both) is expected


def test_threads_that_only_slow_the_wide_arm_down_are_no_parallelism():
    one, two = article((MATCHED, 4.0, 3.0)), article((MATCHED, 4.1, 6.0), threads=2)
    both = joined([*one.comparisons, *two.comparisons])
    assert answer(Claim.PARALLELISM, seed_article=both) is Answer.DOES_NOT_HOLD


def phone(name: str, tau_ns: float, kind: DeviceKind = DeviceKind.PHONE) -> GeneratedDevice:
    return GeneratedDevice(device_id=name, kind=kind, tau_ns=tau_ns, run_noise=0.005)


def campaign(*devices: GeneratedDevice, schemes: tuple[Scheme, ...] = (Scheme.INT4,)):
    networks = pair_networks("mobilellm-125m")
    return generate_records(devices, networks, Campaign(repetitions=8, protocol=PROTOCOL, schemes=schemes))


def test_records_of_a_fake_device_are_never_used():
    assert answer(Claim.LATENCY, records=campaign(phone("fake", 40e3, DeviceKind.FAKE))) is Answer.NOT_MEASURED
    assert answer(Claim.LATENCY, records=campaign(phone("real", 40e3))) is Answer.DOES_NOT_HOLD


def deep_takes(records, device: str, factor: float):
    """The same records with other times of the deep arm on one device."""
    return [
        each.model_copy(update={"decode": tuple(
            d.model_copy(update={"forward_ns": tuple(int(ns * factor) for ns in d.forward_ns)}) for d in each.decode
        )})
        if each.request.plan.device_id == device and each.artifact.arm is Arm.DEEP else each
        for each in records
    ]  # fmt: skip


@pytest.mark.parametrize(("factor", "expected"), [(0.5, Answer.HOLDS), (1.0, Answer.DOES_NOT_HOLD)])
def test_hardware_matters_where_two_devices_have_opposite_winners(factor, expected):
    records = deep_takes(campaign(phone("one", 20e3), phone("two", 20e3)), "two", factor)
    assert answer(Claim.HARDWARE, records=records) is expected


def test_another_gap_with_the_same_winner_is_told_and_is_no_support():
    found = row(Claim.HARDWARE, records=campaign(phone("one", 20e3), phone("two", 160e3)))
    assert found.answer is Answer.DOES_NOT_HOLD
    assert [text for text in found.measured if "how much slower differs" in text]
    same = row(Claim.HARDWARE, records=campaign(phone("one", 20e3), phone("two", 20e3)))
    assert not [text for text in same.measured if "how much slower differs" in text]


def test_a_device_without_a_winner_decides_nothing_about_hardware():
    found = row(Claim.HARDWARE, records=campaign(phone("one", 20e3), phone("two", 7.2e3)))
    assert found.answer is Answer.NOT_MEASURED
    assert "no winner on at least one of them" in found.measured[0]


def test_hardware_needs_two_devices():
    assert answer(Claim.HARDWARE, records=campaign(phone("one", 20e3))) is Answer.NOT_MEASURED


def test_quantisation_needs_both_schemes_and_shows_what_became_of_the_gap():
    one = phone("one", 40e3)
    assert answer(Claim.QUANTISATION, records=campaign(one)) is Answer.NOT_MEASURED
    found = row(Claim.QUANTISATION, records=campaign(one, schemes=(Scheme.FP32, Scheme.INT4)))
    assert found.answer is Answer.HOLDS
    assert "deep / wide goes from 1.0" in found.measured[0]


def test_quantisation_on_more_phones_needs_no_more_runs_on_each():
    schemes = (Scheme.FP32, Scheme.INT4)
    phones = [phone(f"phone-{index}", 40e3) for index in range(8)]
    plan = Campaign(repetitions=5, protocol=PROTOCOL, schemes=schemes)
    records = generate_records(phones, pair_networks("mobilellm-125m"), plan)
    found = row(Claim.QUANTISATION, records=records)
    # 8 comparisons in one family are more than 5 runs a side can decide
    assert (found.answer, len(found.measured)) == (Answer.HOLDS, 8)


@pytest.mark.parametrize(
    ("plain", "normed", "expected"),
    [
        (0.9, 0.9, Answer.HOLDS),
        (0.9, 0.3, Answer.DEPENDS),
        (0.3, 0.3, Answer.DOES_NOT_HOLD),
    ],
)
def test_training_is_harder_where_every_seed_of_the_deep_arm_ends_higher(plain, normed, expected):
    near = (1.0, 1.01, 0.99)
    losses = {
        (arm, variant): [level * each for each in near]
        for arm, variant, level in (
            (Arm.DEEP, Variant.PLAIN, plain), (Arm.WIDE, Variant.PLAIN, 0.5),
            (Arm.DEEP, Variant.RESIDUAL_NORM, normed), (Arm.WIDE, Variant.RESIDUAL_NORM, 0.5),
        )
    }  # fmt: skip
    found = row(Claim.TRAINING, training=training_of(Task.WAVES, losses))
    assert found.answer is expected
    if expected is Answer.DEPENDS:
        assert found.condition == "holds: waves, plain. Does not: waves, residual-norm."
    assert answer(Claim.TRAINING, training=training_of(Task.WAVES, losses, quick=True)) is Answer.NOT_MEASURED


def diverging(training: Training, arm: Arm, variant: Variant, seeds: tuple[int, ...]) -> Training:
    spoiled = {"diverged": True, "train_loss": None, "held_out_loss": None}
    return training.model_copy(update={"runs": tuple(
        run.model_copy(update=spoiled) if (run.arm, run.variant) == (arm, variant) and run.seed in seeds else run
        for run in training.runs
    )})  # fmt: skip


@pytest.mark.parametrize(
    ("arm", "seeds", "expected"),
    [
        (Arm.DEEP, (0,), Answer.DOES_NOT_HOLD),
        (Arm.DEEP, (0, 1, 2), Answer.HOLDS),
        (Arm.WIDE, (0, 1, 2), Answer.DOES_NOT_HOLD),
    ],
)
def test_a_diverged_seed_is_one_bad_loss_and_decides_nothing_alone(arm, seeds, expected):
    losses = {(Arm.DEEP, Variant.PLAIN): [0.3, 0.31, 0.29], (Arm.WIDE, Variant.PLAIN): [0.5, 0.51, 0.49]}
    found = row(Claim.TRAINING, training=diverging(training_of(Task.WAVES, losses), arm, Variant.PLAIN, seeds))
    assert found.answer is expected
    assert ("3 seeds diverged" if len(seeds) == 3 else "1 of 3 diverged") in found.measured[0]


def test_a_seed_that_diverged_lowers_the_rank_of_its_construction():
    losses = {
        (Arm.DEEP, Variant.PLAIN_HE): [0.1] * 3, (Arm.DEEP, Variant.RESIDUAL_NORM): [0.5] * 3,
        (Arm.WIDE, Variant.PLAIN_HE): [0.4] * 3,
    }  # fmt: skip
    training = diverging(training_of(Task.SAWTOOTH, losses), Arm.DEEP, Variant.PLAIN_HE, (0, 1))
    found = row(Claim.EXPRESSIVENESS, training=training)
    assert found.measured[0].startswith("sawtooth, residual-norm")
    assert found.answer is Answer.HOLDS


def test_two_seeds_are_not_enough():
    losses = {(Arm.DEEP, Variant.PLAIN): [0.9, 0.9], (Arm.WIDE, Variant.PLAIN): [0.5, 0.5]}
    assert answer(Claim.TRAINING, training=training_of(Task.WAVES, losses)) is Answer.NOT_MEASURED


@pytest.mark.parametrize(("deep", "expected"), [(0.5, Answer.HOLDS), (0.1, Answer.DOES_NOT_HOLD)])
def test_expressiveness_compares_the_best_construction_of_each_arm(deep, expected):
    losses = {
        (Arm.DEEP, Variant.PLAIN_HE): [0.9] * 3, (Arm.DEEP, Variant.RESIDUAL_NORM): [deep] * 3,
        (Arm.WIDE, Variant.PLAIN_HE): [0.2] * 3, (Arm.WIDE, Variant.RESIDUAL_NORM): [0.8] * 3,
    }  # fmt: skip
    assert answer(Claim.EXPRESSIVENESS, training=training_of(Task.SAWTOOTH, losses)) is expected


def test_the_rule():
    yes, no, silent = (Finding(where=str(side), text="", supports=side) for side in (True, False, None))
    assert settle([silent])[0] is Answer.NOT_MEASURED
    assert settle([yes, silent])[0] is Answer.HOLDS
    assert settle([no, silent])[0] is Answer.DOES_NOT_HOLD
    assert settle([yes, no]) == (Answer.DEPENDS, "holds: True. Does not: False.")
