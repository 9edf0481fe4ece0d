"""The seed article's claims, held against what was measured: one row per claim.

`claims_table` is the door. Each claim has a definition that can fail (`claims_texts`) and findings computed from
records, files and `models.cost` (`claims_speed`, `claims_size`, `claims_learning`); one rule (`settle`) turns findings
into an answer. What others published (`claims_published`) stands beside it and decides nothing. docs/claims.md explains
all of it in plain words.
"""

from collections.abc import Sequence

from scripts.analysis.cells import Cell
from scripts.claims.claim import Answer, Claim, ClaimRow, Finding, Published
from scripts.claims.learning import expressiveness_findings, training_findings
from scripts.claims.published import PUBLISHED
from scripts.claims.seed_article.record import SeedArticle
from scripts.claims.size import activation_findings, bandwidth_findings, parameter_read_findings
from scripts.claims.speed import (
    cache_findings,
    example_findings,
    hardware_findings,
    latency_findings,
    matmul_findings,
    parallelism_findings,
    quantisation_findings,
)
from scripts.claims.texts import TEXTS
from scripts.claims.training.record import Training
from scripts.records import DeviceKind

__all__ = ["Answer", "Claim", "ClaimRow", "Finding", "Published", "claims_table", "settle"]


def claims_table(
    cells: Sequence[Cell] = (), seed_article: SeedArticle | None = None, training: Training | None = None
) -> tuple[ClaimRow, ...]:
    """Every claim of the article, in the order of `Claim`.

    Args:
        cells: of all devices together; those of fake devices are left out.
        seed_article: see `scripts.claims.inputs.read_seed_article`; None: not run.
        training: see `scripts.claims.inputs.read_training`; None: not run.
    """
    real = [cell for cell in cells if cell.key.setup.device.kind is not DeviceKind.FAKE]
    findings = {
        Claim.LATENCY: latency_findings(real, seed_article),
        Claim.PARALLELISM: parallelism_findings(real, seed_article),
        Claim.SMALLER_MATMULS: matmul_findings(real, seed_article),
        Claim.CACHE: cache_findings(real, seed_article),
        Claim.ACTIVATIONS: activation_findings(),
        Claim.PARAMETER_READS: parameter_read_findings(),
        Claim.BANDWIDTH: bandwidth_findings(),
        Claim.TRAINING: training_findings(training),
        Claim.EXPRESSIVENESS: expressiveness_findings(training),
        Claim.HARDWARE: hardware_findings(real, seed_article),
        Claim.EXAMPLE: example_findings(seed_article),
        Claim.QUANTISATION: quantisation_findings(real),
    }
    return tuple(_row(claim, findings[claim]) for claim in Claim)


def settle(findings: Sequence[Finding]) -> tuple[Answer, str]:
    """The one rule: all decisive findings support the claim, none does, or some do; without any, nothing was measured.

    Returns:
        The answer, and for `DEPENDS` where the claim holds and where it does not; else how many findings decided.
    """
    yes, no = ([each for each in findings if each.supports is side] for side in (True, False))
    if yes and no:
        by_factor = not {each.factor for each in yes} & {each.factor for each in no}
        return Answer.DEPENDS, f"holds: {_listed(yes, by_factor)}. Does not: {_listed(no, by_factor)}."
    if yes or no:
        answer, count = (Answer.HOLDS if yes else Answer.DOES_NOT_HOLD), len(yes or no)
        return answer, f"in {count} of {count} comparisons." if count > 1 else f"in {(yes or no)[0].where}."
    return Answer.NOT_MEASURED, ""


def _row(claim: Claim, findings: Sequence[Finding]) -> ClaimRow:
    text = TEXTS[claim]
    answer, condition = settle(findings)
    return ClaimRow(
        claim=claim, title=text.title, definition=text.definition, measured=tuple(each.text for each in findings),
        published=PUBLISHED[claim], answer=answer, condition=condition or f"To measure it: {text.how}.",
    )  # fmt: skip


def _listed(findings: Sequence[Finding], by_factor: bool) -> str:
    names = (each.factor if by_factor and each.factor else each.where for each in findings)
    return "; ".join(dict.fromkeys(names))
