"""`harness.check`: the suite inside another project's own tests.

    def test_my_loss_conforms():
        harness.check("my_package.my_adapter:MyLosses").assert_conforms()

The adapter runs in a worker process like any implementation, so whatever it does, the test suite that asks survives it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from operator import attrgetter
from typing import Any

from harness.adapters.choice import ALL, choose
from harness.adapters.framework_signatures import signatures
from harness.adapters.registry import LIKE
from harness.core.cell import INFRASTRUCTURE, Cell, Run
from harness.core.errors import UsageError
from harness.core.exit_codes import ExitCode, gravest
from harness.core.printing import rewrite
from harness.judgement.ledger import Ledger
from harness.runs.failures import failures, in_words
from harness.runs.gate import run_codes
from harness.runs.plan import Scope
from harness.runs.service import execute_order, make_order

MOST_SHOWN = 20
"""Cells that were not run to an end, in the message of a failed assertion; all of them are in the result."""


@dataclass(frozen=True, repr=False)
class CheckResult:
    """What the suite says of one adapter; printed, what `assert_conforms` complains of, or that there is nothing."""

    run: Run
    expected: Mapping[str, str]
    """Reasons of the divergences that are expected, by pattern."""
    quick: bool = False
    """Whether only the cover was run: a pattern that none of its cells has says nothing then."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Everything that was judged, and what could not be."""
        return self.run.cells

    @property
    def disagreeing(self) -> tuple[Cell, ...]:
        """Cells that disagree with the truth, expected or not."""
        return tuple(cell for cell in self.cells if cell.verdict == "disagrees")

    @property
    def unexpected(self) -> tuple[Cell, ...]:
        """Cells that disagree though no pattern expects it."""
        return tuple(c for c in self.disagreeing if not any(_matches(c, pattern) for pattern in self.expected))

    @property
    def stale(self) -> tuple[str, ...]:
        """Patterns that match no disagreeing cell: what they excuse no longer happens."""
        asked = [p for p in self.expected if not self.quick or any(_matches(cell, p) for cell in self.cells)]
        return tuple(p for p in asked if not any(_matches(cell, p) for cell in self.disagreeing))

    @property
    def broken(self) -> tuple[Cell, ...]:
        """Cells that were never judged: crashed, timed out, missing."""
        return tuple(cell for cell in self.cells if cell.verdict in INFRASTRUCTURE)

    @property
    def incidents(self) -> tuple[str, ...]:
        """Workers that died and were started again, in sentences: what they left behind nobody has judged."""
        return tuple(p.what for p in self.run.footer.problems if p.kind == "incident")

    @property
    def judged(self) -> int:
        """How many cells have a judgement."""
        return sum(cell.verdict not in INFRASTRUCTURE and cell.verdict != "unsupported" for cell in self.cells)

    @property
    def code(self) -> ExitCode:
        """What `xent run` would end with, had the ledger exactly the divergences that are expected."""
        codes = run_codes(self.run) & {ExitCode.INFRASTRUCTURE}
        codes |= set() if self.judged else {ExitCode.NOTHING_RAN}
        codes |= {ExitCode.DISAGREES} if self.unexpected else set()
        codes |= {ExitCode.STALE_LEDGER} if self.stale else set()
        return gravest(codes)

    @property
    def conforms(self) -> bool:
        """Whether all is as expected."""
        return self.code is ExitCode.FINE

    def __str__(self) -> str:
        return (
            f"{self.judged} cells were judged; all are as expected" if self.conforms else "\n".join(self._complaints())
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.judged} cells judged, {len(self.unexpected)} unexpectedly disagree>"

    def assert_conforms(self) -> None:
        """AssertionError that names every kind of failure, with got, want and where, unless all is as expected."""
        if not self.conforms:
            raise AssertionError("\n".join(self._complaints()))

    def _complaints(self) -> list[str]:
        lines = [] if self.judged else ["nothing was judged: the adapter offers none of the losses of these cases"]
        unexpected = {cell.key for cell in self.unexpected}
        if unexpected:
            lines.append(f"{len(unexpected)} of {len(self.cells)} cells disagree with the truth:")
        # Causes are looked for in all that is wrong, expected or not, and told of what is not expected.
        for failure in failures(self.run):
            cells = tuple(cell for cell in failure.cells if cell.key in unexpected)
            if cells:
                lines += in_words(replace(failure, cells=cells))
        if self.broken:
            lines.append(f"{len(self.broken)} of {len(self.cells)} cells were not run to an end:")
            lines += [f"  {cell.name}: {cell.explanation}" for cell in self.broken[:MOST_SHOWN]]
            lines += [f"  … and {len(self.broken) - MOST_SHOWN} more"] if len(self.broken) > MOST_SHOWN else []
        lines += [f"a worker ended: {text}" for text in self.incidents]
        lines += [f"expected, but no cell disagrees so: {pattern} ({self.expected[pattern]})" for pattern in self.stale]
        return lines


def _matches(cell: Cell, pattern: str) -> bool:
    # Names of cells hold brackets, which a glob takes for a set of characters: only * and ? are special here.
    plain = pattern.replace("[", "[[]")
    return fnmatchcase(cell.case, plain) or fnmatchcase(cell.name, plain)


def check(
    adapter: str | Callable[..., Any],
    cases: Sequence[str] = (),
    *,
    loss: str | None = None,
    like: str | None = None,
    complete: bool = False,
    expected_divergences: Mapping[str, str] | None = None,
    modes: Sequence[str] | None = None,
    dtypes: Sequence[str] | None = None,
    timeout: float = 60.0,
    python: str | None = None,
) -> CheckResult:
    """Run the suite on an adapter and judge it.

    Parameters
    ----------
    adapter : str or callable
        A module:Class that can be imported from here, or any name the command line takes; or a function that can be
        imported by its name, called like one of a framework's own.
    cases : sequence of str, optional
        Files, folders, ids or patterns of ids; by default the cover, few cases that catch every mistake that all do.
    loss : str, optional
        Of a function: which loss it computes.
    like : str, optional
        Of a function: whose arguments it takes, such as ``"torch.nn.functional.cross_entropy"``; by default the loss's
        own inputs and options, as NumPy arrays.
    complete : bool, default False
        Whether all cases are run where none is named.
    expected_divergences : mapping of str to str, optional
        Patterns of case ids, or of whole cells such as ``edges/*[*:eager:float16:gradient]``, and the reason why they
        disagree. A pattern that nothing matches any more makes the check fail.
    modes : sequence of str, optional
        Modes to run; by default the first of the adapter, and with `complete` all that it has.
    dtypes : sequence of str, optional
        Formats to run; by default all that adapter and case have.
    timeout : float, default 60.0
        Seconds per call.
    python : str, optional
        The interpreter of another environment to run the adapter in.

    Returns
    -------
    CheckResult
        Every cell, and what of it was not expected.

    Raises
    ------
    UsageError
        An adapter, a case or a mode that does not exist; a function that no other process could import, or whose
        signature is not known.

    Examples
    --------
    >>> import harness
    >>> result = harness.check("numpy", ["documents/d4-dog-in-bits"])  # doctest: +SKIP
    >>> result.assert_conforms()  # doctest: +SKIP
    """
    if modes is None and complete:
        modes = (ALL,)
    scope = Scope(None if dtypes is None else tuple(dtypes), None if modes is None else tuple(modes))
    name = adapter if isinstance(adapter, str) else _name(adapter, loss, like)
    chosen = choose([name])
    cover = not complete
    order = make_order(cases, chosen, scope, ledger=Ledger(), cover=cover, timeout=timeout, parallel=1, python=python)
    return CheckResult(
        execute_order(order, progress=_progress), dict(expected_divergences or {}), quick=cover and not cases
    )


def _progress(name: str, done: int, total: int) -> None:
    """One line that counts, where somebody looks on."""
    if sys.stderr.isatty() and (done == total or done % EACH == 0):
        rewrite(f"{name}: {done} of {total} calls" + "\n" * (done == total))


EACH = 20
"""Calls between two counts."""


def _name(function: Callable[..., Any], loss: str | None, like: str | None) -> str:
    """How a worker finds a function of this process."""
    known = like or loss
    if known is None:
        raise UsageError("a function is checked as a loss: say loss=… and, of a framework's arrays, like=…")
    place = f"{getattr(function, '__module__', None)}:{getattr(function, '__qualname__', None)}"
    module, _, path = place.partition(":")
    try:
        found = attrgetter(path)(import_module(module))
    except (ImportError, AttributeError, ValueError):
        found = None
    if found is not function:
        raise UsageError(f"{place} cannot be imported by that name: the worker that checks it is a process of its own")
    try:
        losses = sorted({signature.loss for signature in signatures(known)})
    except ValueError as error:
        raise UsageError(str(error)) from error
    if loss is not None and loss not in losses:
        raise UsageError(f"a function like {known} computes {' or '.join(losses)}, not {loss}")
    return f"{LIKE}{known}={place}"
