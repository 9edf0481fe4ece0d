"""What several commands of the farm print."""

from collections.abc import Sequence

from scripts.console import print_table
from scripts.farm.device import Problem


def print_problems(problems: Sequence[Problem]) -> None:
    """What is wrong and what to do about it, or that nothing is."""
    if not problems:
        print("no fault found")
        return
    print_table(("who", "what is wrong", "what to do"), [(each.who, each.what, each.what_to_do) for each in problems])
