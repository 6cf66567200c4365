"""What a change comes to: better, worse or different, and in one clause why. Pure.

The clause has no number of any cell in it, so that all cells with one cause have one clause.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.core.cell import RIGHT, SEVERITIES, Cell
from harness.core.digits import told_apart
from harness.core.shown_values import worst_element

BETTER, WORSE, DIFFERENT = "better", "worse", "different"
DIRECTIONS = (WORSE, DIFFERENT, BETTER)
"""Gravest first."""

_REFUSED, _WRONG, _RIGHT = 1, 0, 2
"""How good an answer is: one that is refused is better than a wrong one."""

_CLAUSES: Mapping[str, str] = {
    "base": "takes logarithms to base {}",
    "clip": "clips probabilities to {}",
    "renormalize": "renormalizes",
    "add_inside_log": "adds {} inside the logarithm",
    "log_clamp": "clamps logarithms below {}",
    "gradient_clamp": "clamps the divisor of the gradient at {}",
    "denominator": "divides a mean by {}",
    "smoothing": "smooths over {}",
    "finite_zero_mean": "gives 0 as the mean over nothing",
    "gradient_of_targets_summing_to_one": "takes the gradient as if targets summed to one",
    "result_dtype": "answers in {}",
    "implementation_defined": "answers with {} where nothing is right",
    "bits": "gives bits that are {} in another batch, place, layout or call",
}
"""By convention: what who follows it does."""


def direction(kind: str, old: Cell | None, new: Cell | None) -> str:
    """Whether a change of a kind of `harness.runs.diff.KINDS` is better, worse, or neither."""
    if old is None or new is None:
        present = new if old is None else old
        good = present is not None and present.verdict in RIGHT
        return {"added": BETTER, "removed": WORSE}.get(kind, DIFFERENT) if good else DIFFERENT
    was, now = _goodness(old), _goodness(new)
    if was != now:
        return BETTER if now > was else WORSE
    if now == _WRONG and old.severity != new.severity:
        return WORSE if _graver(new, old) else DIFFERENT
    if kind == "drift":
        return WORSE
    ratios = [float(cell.ratio) if cell.ratio is not None else 0.0 for cell in (old, new)]
    if kind == "value" and now == _WRONG and min(ratios) > 0:
        return BETTER if ratios[1] <= ratios[0] / 2 else WORSE if ratios[1] >= 2 * ratios[0] else DIFFERENT
    return DIFFERENT


def _goodness(cell: Cell) -> int:
    return _RIGHT if cell.verdict in RIGHT else _REFUSED if cell.verdict == "unsupported" else _WRONG


def _graver(one: Cell, other: Cell) -> bool:
    ranks = [SEVERITIES.index(c.severity) if c.severity in SEVERITIES else len(SEVERITIES) for c in (one, other)]
    return ranks[0] < ranks[1]


def clause(kind: str, old: Cell | None, new: Cell | None, reasons: Mapping[str, str]) -> str:
    """What changed, in one clause; `reasons` are those of the ledger's entries, by id."""
    if old is None or new is None:
        return "is asked on the new side only" if old is None else "is no longer asked"
    if kind == "drift":
        return "less exact than before: the error more than doubled, inside what is allowed"
    if kind == "warnings":
        return f"warns: {next(w for w in new.warnings if w not in old.warnings)[:160]}"
    if kind == "error":
        return f"raises {_error(new)} where it raised {_error(old)}"
    if kind == "dtype":
        return f"answers in {new.outcome.get('dtype')} where it answered in {old.outcome.get('dtype')}"
    if kind == "outcome":
        return "answers in another shape" if old.outcome.get("kind") == new.outcome.get("kind") else _states(old, new)
    if kind == "value":
        nearer = {BETTER: "nearer to the truth", WORSE: "farther from the truth"}
        return f"another wrong number, {nearer.get(direction(kind, old, new), 'no nearer to the truth')}"
    was, now = _goodness(old), _goodness(new)
    if new.ledger in reasons and new.ledger != old.ledger:
        return _first_sentence(reasons[str(new.ledger)])
    if old.ledger in reasons and now != _WRONG:
        return f"no longer: {_first_sentence(reasons[str(old.ledger)])}"
    if was == now == _RIGHT and old.convention != new.convention:
        return _conventions(old, new)
    if now == _WRONG and new.causes:
        return next(iter(new.causes.values()))
    if was == _WRONG and old.causes:
        return f"no longer: {next(iter(old.causes.values()))}"
    return _states(old, new)


def _states(old: Cell, new: Cell) -> str:
    reason = new.outcome.get("reason") if _goodness(new) == _REFUSED else None
    return f"{_state(new)} where it {_past(old)}" + (f": {reason}" if reason else "")


def _state(cell: Cell) -> str:
    if _goodness(cell) == _REFUSED:
        return "does not offer"
    if cell.outcome.get("kind") == "raises":
        return f"raises {_error(cell)}"
    if _goodness(cell) == _RIGHT:
        choices = " and ".join(map(_says, _parts(cell.convention))) if cell.verdict == "by_convention" else ""
        if choices.startswith("answers with"):
            return choices  # where nothing is right
        return f"is right by convention ({choices})" if choices else "is right"
    kind = "finite" if cell.observed is None else cell.observed.kind
    return {"nan": "gives nan", "inf": "gives infinity", "returns": "answers instead of refusing"}.get(kind, "is wrong")


def _past(cell: Cell) -> str:
    state = _state(cell)
    for now, was in (
        ("does not offer", "did not offer it"),
        ("raises", "raised"),
        ("is", "was"),
        ("gives", "gave"),
        ("answers", "answered"),
    ):
        if state.startswith(now):
            return was + state.removeprefix(now)
    return state


def _error(cell: Cell) -> str:
    return str(cell.outcome.get("type")).removeprefix("builtins.")


def _conventions(old: Cell, new: Cell) -> str:
    before, after = _parts(old.convention), _parts(new.convention)
    words = [f"no longer {_says(part)}" for part in before if part not in after]
    words += [_says(part) for part in after if part not in before]
    return " and ".join(words) or "is right by the same choices in another order"


def _parts(convention: str | None) -> list[str]:
    return re.findall(r"[a-z_]+(?:\([^()]*\))?", convention or "")


def _says(part: str) -> str:
    name, _, parameter = part.rstrip(")").partition("(")
    return _CLAUSES.get(name, f"follows {name} {{}}").format(parameter.replace("_", " "))


def _first_sentence(text: str) -> str:
    found = re.match(r".+?[.;](?=\s|$)", " ".join(text.split()))
    return (found[0] if found else text).rstrip(".;")


def values(old: Cell | None, new: Cell | None) -> str:
    """What both sides gave, beside each other and the truth; empty where there are no numbers."""
    told = [_gave(cell) for cell in (old, new)]
    if not all(told) or told[0] == told[1]:
        return ""
    judged = next((c for c in (new, old) if c is not None and c.truth is not None), None)
    truth = None if judged is None else worst_element(judged.truth, judged.worst)
    if judged is None or truth is None:
        return f"{told[0]} → {told[1]}"
    without = " without its convention" if judged.verdict == "by_convention" else ""
    # As many digits as set the truth apart from the nearer of both sides: which of them is right can be read.
    gave = (worst_element(cell.got, cell.worst) for cell in (old, new) if cell is not None)
    digits = (told_apart(got, truth)[1] for got in gave if got is not None)
    return f"{told[0]} → {told[1]} (truth{without} {max(digits, key=len, default=f'{truth:.6g}')})"


def _gave(cell: Cell | None) -> str:
    if cell is None:
        return ""
    if cell.outcome.get("kind") == "raises":
        return f"raises {_error(cell)}"
    if cell.outcome.get("kind") == "unsupported":
        return "not offered"
    got = worst_element(cell.got, cell.worst)
    if got is None:
        return ""
    truth = worst_element(cell.truth, cell.worst)
    return f"{got:.6g}" if truth is None else told_apart(got, truth)[0]
