"""The nouns of the ledger: a known divergence, what it selects, and what it pins.

Reading the files is `harness.suite.ledger_files`; matching entries with cells is `harness.judgement.ledger`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOWHERE = "nowhere"
"""What an entry writes as `computed_in` where the answer is right in no format."""


@dataclass(frozen=True)
class Pin:
    """The outcome an entry is about, in the terms of `Observed`. Every field that is set has to be met."""

    kind: str
    """One of OBSERVED in `harness.core.cell`."""
    of: str | None = None
    """What of several things it is about, such as the aspect in which two modes differ."""
    error: str | None = None
    """Glob for the exception's type, where kind is raises."""
    dtype: str | None = None
    """The type of the answer, where that is not the right one."""
    computed_in: str | None = None
    """Glob for the format in which the result is right for the inputs so rounded, or NOWHERE."""
    ratio: tuple[float, float] | None = None
    """Closed interval R lies in."""


@dataclass(frozen=True)
class Condition:
    """A machine fact on which an entry depends."""

    fact: str
    """A name of `harness.core.machine_facts`."""
    values: tuple[str, ...]
    """Any of them will do."""

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Whether an implementation that attests these facts meets it; one that says nothing does not."""
        return facts.get(self.fact) in self.values

    def __str__(self) -> str:
        return f"{self.fact}={' or '.join(self.values)}"


@dataclass(frozen=True)
class Entry:
    """One known divergence."""

    id: str
    cases: tuple[str, ...]
    implementations: tuple[str, ...]
    pin: Pin
    reason: str
    upstream: str
    """Address of the thread or of the documentation that states it, or `none found`."""
    versions: str = ""
    """A version specifier as in PEP 440, such as ">=2.0,<3"; empty: every version."""
    modes: tuple[str, ...] = ("*",)
    dtypes: tuple[str, ...] = ("*",)
    aspects: tuple[str, ...] = ("*",)
    beyond: tuple[str, ...] = ()
    """Losses of which it holds in other cases than those it names: there it is told as a cause of what disagrees."""
    where: tuple[Condition, ...] = ()
    """All have to hold; where one does not, the entry is dormant: it explains nothing and is not missed."""
    seen: str = ""
    """Where it was seen, of an entry that is dormant on every machine that the baseline and its overlays know."""
    since: tuple[tuple[str, str], ...] = ()
    """By implementation: the release in which it began (0.2.6), the oldest that was run and had it (<=0.1.4), or both
    ends where releases between could not be run (>0.2.3,<=0.2.6). Written by `xent history`."""
    location: str = ""
    shipped: bool = False
    """Whether it came with xent and is not this project's to remove: then it is not audited, and no code's reason."""


@dataclass(frozen=True)
class Selector:
    """What a ledger entry selects by."""

    case: str
    implementation: str
    mode: str
    dtype: str
    aspect: str
    version: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """Machine facts that the implementation attested."""
