"""Which machine facts separate the runs that show a divergence from those that do not. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from harness.core.ledger import Condition
from harness.core.machine_facts import VOCABULARY

Facts = Mapping[str, str]


def separating(showing: Sequence[Facts], silent: Sequence[Facts]) -> tuple[Condition, ...] | None:
    """The coarsest conditions that hold together wherever it shows and nowhere else.

    Parameters
    ----------
    showing : sequence of mappings
        The facts of each run that shows the divergence, at least one.
    silent : sequence of mappings
        The facts of each run that was about it and does not show it.

    Returns
    -------
    tuple of Condition, or None
        Of as few facts as possible; of these with as few values as possible; of these the first in the order of the
        vocabulary, which goes from the general to the particular. Empty where it shows everywhere; None where no
        conditions separate the two.

    Examples
    --------
    >>> here, there = {"isa": "avx512", "onednn": "off"}, {"isa": "avx2", "onednn": "off"}
    >>> [str(condition) for condition in separating([there], [here])]
    ['isa=avx2']
    >>> separating([there], [there])
    """
    told = (name for name in VOCABULARY if all(name in facts for facts in showing))
    narrowest = [Condition(name, tuple(sorted({facts[name] for facts in showing}))) for name in told]
    for size in range(len(narrowest) + 1):
        enough = [
            conditions
            for conditions in combinations(narrowest, size)
            if not any(all(condition.holds(facts) for condition in conditions) for facts in silent)
        ]
        if enough:
            return min(enough, key=lambda conditions: sum(len(c.values) for c in conditions))
    return None
