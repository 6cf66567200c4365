"""Which share of the known-bad implementations the diagnosis names: `python -m harness.tests.diagnosed`.

Each is asked the small cases of its loss until it was wrong `ENOUGH` times; it is named where the sentence said most
often is about its mistake.
"""

from __future__ import annotations

import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from harness.core.call import Question
from harness.core.case import Case, ExpectTruth
from harness.judgement.ledger import Ledger
from harness.mistakes import MUTANTS, adapter
from harness.mistakes.diagnosis import diagnose
from harness.runs.judging import Bench
from harness.suite.generators import realize, shape_of
from harness.suite.loading import load
from harness.tests.asking_here import answer

ENOUGH = 6
SMALL = 200
"""Elements of the largest input that is looked at."""

NAMES: Mapping[str, str] = MappingProxyType(
    {
        # Reductions.
        "mean-over-classes": r"N·C|all entries|= 1/C",
        "first-sample-only": "first sample",
        "mean-is-sum": "sum instead of the mean|reduction were sum",
        "sum-is-mean": r"reduction were mean|1/\d+ \(= 1/N\)",
        "mean-of-means": "means of two halves",
        "ignored-in-mean": "ignored rows are counted|number of elements",
        "mean-over-kept": "number of elements|not ignored",
        "mean-over-weights": "sum of the weights",
        "mean-over-nonzero-weights": "non-zero weights|number of elements",
        "mean-over-first-axis": "length of the first axis|number of elements|= (N|C)",
        "batchmean-over-rows": "reduction were mean|number of elements",
        "denominator-plus-epsilon": "is added to what the mean divides by",
        "denominator-at-least-one": "never divides by less than 1|mean over nothing is 0",
        "accumulates-in-float16": "accumulated in float16",
        "drops-the-tail": r"last multiple of [\d or]*4",
        "gradient-not-divided": r"nothing is divided|reduction were sum|\(= N\)",
        "gradient-always-divided": r"reduction were mean|1/\d+ \(= 1/N\)",
        "gradient-over-count": "number of elements",
        "ignores-cotangent": "upstream gradient is taken to be 1",
        "scalar-cotangent": "upstream gradient of the first sample",
        # Values.
        "log-base-2": "log2|ln 2",
        "value-in-bits": "log2|ln 2",
        "log2-in-one-term": "below a half has base 2",
        "clip-1e-3": r"clip\([^)]*0\.001",
        "epsilon-inside-log": "1e-08[^,]* added inside",
        "clip-and-add": "1e-07[^,]* is added as well|1e-07[^,]* added inside",
        "one-minus-p": "takes 1 − p for −ln p",
        "infinity-to-zero": "logarithm of 0 is replaced by 0",
        "zero-times-infinity": r"0 · ln 0 is nan",
        "no-max-shift": "maximum is not taken off",
        "log-of-softmax": "softmax that has underflowed",
        "capped-loss": "raised to [^:,]*1e-07",
        "shift-of-the-batch": "one maximum is taken off the whole batch",
        "wrong-axis": "along the samples|along axis",
        "class-left-out": "largest class is missing",
        "softmax-twice": "softmax applied to its own result",
        "logits-in-float16": "pass through float16",
        "clamped-logits": r"clamped to ±[\d or]*50",
        "smoothing-over-others": r"ε/\(K−1\)",
        "smoothing-adds-up": "adds ε/K and takes nothing away",
        "smoothing-not-spread": "gives every class ε",
        "smoothing-only-scales": "adds nothing",
        "smoothing-wrong-count": r"over K \+ 1 classes",
        "ignores-smoothing": "label_smoothing is ignored",
        "smoothing-whole-epsilon": "ε instead of ε/2",
        "naive-softplus": r"log\(1 \+ e\^z\) is computed as written, in float32",
        "one-sided": "one side is the other minus z",
        "positive-term-only": "term of the negatives is forgotten",
        "focal-weight-of-p": "focal weight is p",
        "gamma-plus-one": r"γ \+ 1",
        "ignores-gamma": "gamma is ignored|γ is always 2",
        "no-focal-weight": "no focal weight",
        "detached-focal-weight": "does not pass through the focal weight",
        "alpha-swapped": "swapped",
        "alpha-for-positives-only": "negatives are not weighed",
        "alpha-for-both": "α weighs both sides",
        # Gradients.
        "detached": "zero",
        "opposite-gradient": "sign",
        "one-wrong-sign": "wrong sign",
        "reversed-gradient": "reverse",
        "float16-gradient": "rounded to float16",
        "p-minus-y": "whatever the targets sum to|neither weighted nor divided",
        "p-minus-one-in-float16": "p is rounded to float16",
        "wrong-sign-at-target": "wrong sign",
        "no-gradient-off-target": "only the target's logit",
        "gradient-ten-percent-large": r"1\.1$",
        "sigmoid-in-float16": "sigmoid is computed in float16",
        "sigmoid-of-size": r"σ\(\|z\|\)",
        "gradient-lacks-reciprocal": "lacks 1/p",
        "gradient-clipped": r"no less than p = [^,]*0\.001",
        "gradient-of-plus-log": "wrong sign|−1/p|sign",
        "diagonal-jacobian": "diagonal of the Jacobian",
        "log-softmax-unit-cotangent": "as if the cotangents summed to 1",
        "gradient-at-ignored": "ignored rows",
        "nan-at-ignored-nan": "ignored rows",
        # Second derivatives.
        "second-detached": "zero",
        "second-raises": "raises .*differentiated twice",
        "second-is-first": "gradient is returned for the second",
        "second-is-hessian-of-ones": "direction is taken to be ones",
        "gauss-newton": "squared gradient",
        "second-negative": "sign",
        "second-difference": "difference quotient",
        "second-from-ones": "upstream gradient is taken to be 1",
        "second-not-divided": "nothing is divided|reduction were sum",
        "second-without-sample-weights": "sample_weights is ignored",
        "second-without-class-weights": "class_weights is ignored",
        "second-without-pos-weight": "pos_weight is ignored",
        "second-without-smoothing": "label_smoothing is ignored",
        "second-in-nats": "ln 2|base is ignored",
        "second-at-ignored": "ignored rows have curvature",
        "second-narrowed": "answers in float32",
        "second-flat": "has shape",
        "second-reversed": "reverse",
        "second-diagonal": "diagonal of the Hessian",
        "second-lacks-mean": "without the p",
        "second-adds-mean": "is added where it is taken off",
        "second-of-largest-target": "largest target",
        "second-whatever-the-sum": "curvature has no weight",
        "second-squares-weights": "enter squared",
        "second-nan-at-zero": "0 · ln 0",
        "second-overflows": "overflows",
        "second-cancels": "σ − σ² of a σ rounded to float16",
        "second-kinked": "curvature at z = 0",
        "second-adds-epsilon": r"1/\(p \+ [^)]*1e-12",
        "second-lacks-square": "1/p stands for 1/p²",
        "second-clipped": r"capped at [^,]*1e\+06",
        # Inputs.
        "argmax-of-soft-labels": "argmax",
        "labels-from-one": "counted from one",
        "ignores-class-weights": "class_weights is ignored",
        "ignores-sample-weights": "sample_weights is ignored",
        "ignores-pos-weight": "pos_weight is ignored",
        "ignores-ignore-index": "ignore_index is ignored",
        "ignores-only-minus-100": "always −100",
        "ignores-negative-labels": "negative label is ignored",
        "squares-class-weights": "weights enter twice",
        "class-weights-by-size": "lose their sign",
        "reversed-class-weights": "belong to the classes in reverse",
        "normalised-sample-weights": "divided by their sum",
        "pos-weight-on-negatives": "weighs the negatives",
        "pos-weight-on-both": "weighs both sides",
        "ignores-alpha": "alpha is ignored",
        "ignores-base": "base is ignored",
        "ignores-axis": "along axis",
        "reshapes-for-axis": "reshaped",
        "ignores-log-target": "log_target",
        "kl-reversed": "distributions are swapped",
        "kl-without-entropy": "a cross-entropy",
        "flushes-small-inputs": "below [^,]*1e-06[^,]* become 0",
        "rounds-soft-targets": "rounded to 0 or 1",
        "ignores-bias": "bias has no effect",
        # Answers.
        "float32-for-float64": "answers in float32",
        "float64-for-all": "answers in float64",
        "float64-in-name": "computed in float32|rounded to float32",
        "gradient-in-float32": "answers in float32",
        "extra-axis": "has shape",
        "flat-gradient": "has shape",
        "nan-to-zero": "replaced by 0",
        "four-decimals": r"rounded to [\d or]*4[\d or]* decimals",
        "tiny-loss-is-zero": r"below [^,]*0\.0001[^,]* become 0",
    }
)
"""Words of the diagnosis that name a mistake. What is not listed is no single change of the lattice."""

OBSERVED = re.compile(
    "(no single change|off by a constant factor|right only to the precision|the right magnitudes|raises |answers in|"
    r"has shape|off by a factor of [\d./]+$|nan everywhere$|zero (everywhere|where it is not)$)"
)
"""Beginnings of what is said of a result without naming a cause."""


def spoken(name: str, cases: Sequence[Case]) -> Counter[str]:
    """How often each sentence is said of a known-bad implementation."""
    said: Counter[str] = Counter()
    mutant = adapter(name)
    description = mutant.describe()
    for case in cases:
        if case.loss not in description.losses or case.dtypes[0] not in description.dtypes:
            continue
        question = Question("it", case, case.dtypes[0], description.modes[0])
        outcome = answer(mutant, question)
        for searches in (False, True):
            pending = Counter({(case.id, case.dtypes[0]): 1})
            bench = Bench(Ledger(), realize, {"it": description}, pending, diagnose=diagnose if searches else None)
            wrong = [cell for cell in bench.judge(question, outcome) if cell.verdict == "disagrees"]
            if not wrong:
                break
            if searches:
                said.update((cell.explanation or "").rpartition("; ")[2] for cell in wrong)
        if said.total() >= ENOUGH:
            break
    return said


def is_named(name: str, said: Counter[str]) -> bool:
    """Whether the sentence said most often is about the mistake."""
    words = NAMES.get(name.partition(".")[0])
    return bool(words and said and re.search(words, said.most_common(1)[0][0]))


def wrongly(name: str, said: Counter[str]) -> list[str]:
    """The sentences that name causes, none of which is the mistake."""
    words = NAMES.get(name.partition(".")[0])
    return [line for line in said if not (OBSERVED.match(line) or (words and re.search(words, line)))]


def small_cases() -> tuple[Case, ...]:
    """The cases with a truth and few numbers; options and documents before edges."""
    chosen = [
        case
        for case in load().cases
        if isinstance(case.expect, ExpectTruth) and all(math.prod(shape_of(s)) < SMALL for s in case.inputs.values())
    ]
    order = {"options": 0, "documents": 1}
    return tuple(sorted(chosen, key=lambda case: order.get(case.id.partition("/")[0], 2)))


def main() -> None:
    numeric = [name for name, mutant in MUTANTS.items() if mutant.kind != "conduct"]
    chosen = [name for name in numeric if not sys.argv[1:] or any(word in name for word in sys.argv[1:])]
    named = listed = seen = misnamed = 0
    cases = small_cases()
    for name in chosen:
        said = spoken(name, cases)
        if not said:
            continue
        seen += 1
        named += is_named(name, said)
        listed += name.partition(".")[0] in NAMES
        false = wrongly(name, said)
        misnamed += bool(false)
        print("named" if is_named(name, said) else "-----", name, "|", said.most_common(1)[0][0], flush=True)
        for line in false:
            print("WRONG", name, "|", line, flush=True)
    print(
        f"{named} of {seen} known-bad implementations are named, {misnamed} are given another name at least once; "
        f"{listed} have a single change that names them"
    )


if __name__ == "__main__":
    main()
