"""Which reads and updates of a state need no copy: a cache that is copied at each of 60 updates dominates a step."""

from collections.abc import Sequence
from dataclasses import dataclass

from export.targets.coreml.reader import Operator, Reference


@dataclass(frozen=True, slots=True)
class StatePlan:
    """Positions of operators.

    Attributes:
        aliased_reads: `read_state` that may hand out the state itself: nothing reads the result after the next change.
        in_place_updates: `slice_update` that may write into the state: its result goes back there and nowhere else.
        copying_slices: `slice_by_index` of a state's own memory that must not return a view of it. Only a slice that
            nothing but other slices read, before the state next changes, may: the last one of a chain copies.
    """

    aliased_reads: frozenset[int]
    in_place_updates: frozenset[int]
    copying_slices: frozenset[int]


# The one operator, besides the update, that gets to see a state's own memory.
_SLICE = "slice_by_index"


def plan_states(operators: Sequence[Operator]) -> StatePlan:
    """Find the copies that cannot be seen; whatever does not fit the pattern read, update, write is copied."""
    users = _users(operators)
    reads = {
        index: _name(operator, "input") for index, operator in enumerate(operators) if operator.kind == "read_state"
    }
    source = {operators[index].outputs[0]: state for index, state in reads.items()}
    updates = {
        index: source[_name(operator, "x")]
        for index, operator in enumerate(operators)
        if operator.kind == "slice_update" and _returns_to(operators, users, source, index)
    }
    changes = {**updates, **{i: _name(op, "input") for i, op in enumerate(operators) if op.kind == "write_state"}}
    aliased = frozenset(read for read, state in reads.items() if _unseen(operators, users, changes, read, state))
    aliases = {operators[read].outputs[0]: reads[read] for read in aliased}
    in_place = frozenset(index for index in updates if _name(operators[index], "x") in aliases)
    return StatePlan(aliased, in_place, _copying_slices(operators, users, changes, aliases))


def _copying_slices(
    operators: Sequence[Operator], users: dict[str, list[int]], changes: dict[int, str], aliases: dict[str, str]
) -> frozenset[int]:
    """Ends of the chains of slices that start at `aliases`, which are names of a state's memory with that state's."""
    views, copying = dict(aliases), set[int]()
    for index, operator in enumerate(operators):
        if operator.kind != _SLICE or (state := views.get(_name(operator, "x"))) is None:
            continue
        consumers = users.get(operator.outputs[0], [])
        sliced_only = bool(consumers) and all(operators[user].kind == _SLICE for user in consumers)
        if sliced_only and _unseen(operators, users, changes, index, state):
            views[operator.outputs[0]] = state
        else:
            copying.add(index)
    return frozenset(copying)


def _returns_to(operators: Sequence[Operator], users: dict[str, list[int]], source: dict[str, str], index: int) -> bool:
    """Whether a `slice_update` of a state's value is written back to that state and used for nothing else."""
    state = source.get(_name(operators[index], "x"))
    consumers = users.get(operators[index].outputs[0], [])
    if state is None or len(consumers) != 1:
        return False
    write = operators[consumers[0]]
    return write.kind == "write_state" and _name(write, "input") == state


def _unseen(
    operators: Sequence[Operator], users: dict[str, list[int]], changes: dict[int, str], view: int, state: str
) -> bool:
    """Whether the result of operator `view`, which is memory of `state`, is dead when that state next changes."""
    next_change = min((index for index, changed in changes.items() if changed == state and index > view), default=None)
    consumers = users.get(operators[view].outputs[0], [])
    if next_change is not None and any(index > next_change for index in consumers):
        return False
    return all(operators[index].kind == _SLICE or index == next_change for index in consumers)


def _users(operators: Sequence[Operator]) -> dict[str, list[int]]:
    users: dict[str, list[int]] = {}
    for index, operator in enumerate(operators):
        for arguments in operator.inputs.values():
            for argument in arguments:
                if isinstance(argument, Reference):
                    users.setdefault(argument.name, []).append(index)
    return users


def _name(operator: Operator, parameter: str) -> str:
    argument = operator.argument(parameter)
    return argument.name if isinstance(argument, Reference) else ""
