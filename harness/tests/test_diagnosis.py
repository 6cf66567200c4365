"""The diagnosis names the mistake of known-bad implementations, by its name, and nothing where it cannot."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from harness.adapters.micro_batches import MODE as ACCUMULATED_MODE
from harness.adapters.micro_batches import TAG as MICRO_BATCHES
from harness.core.arrays import Array
from harness.core.call import Call
from harness.core.case import Case, ExpectTruth
from harness.core.cause import Cause, sentence_of
from harness.core.formats import FORMATS, rounded
from harness.execution.worker import evaluate
from harness.judgement.agreement import compare
from harness.judgement.ledger import Ledger
from harness.judgement.truth import TruthTable
from harness.judgement.verdict import Subject, judge
from harness.mistakes import MISTAKES, MUTANTS, Mutant, adapter, steps
from harness.mistakes.answers import MANY
from harness.mistakes.diagnosis import NAMED, diagnose
from harness.mistakes.library import WAYS
from harness.suite.calls import call_of
from harness.suite.generators import shape_of
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow

ENOUGH = 2
"""Wrong cells of a known-bad implementation that are looked at."""
SMALL = 200
"""Elements of the largest input of a case that is looked at."""
OBSERVED = {
    "constant-factor",
    "wrong-signs",
    "nan-everywhere",
    "zero-everywhere",
    "narrower-format",
}
"""What is said of a result without naming a wrong step."""
NONE, MEAN = {"reduction": "none"}, {"reduction": "mean"}
THREE = {"logits": [[1.0, 2.0, 3.0], [0.5, 0.0, -1.0], [4.0, -1.0, 0.25]], "targets": [0, 2, 1]}


def is_small(case: Case) -> bool:
    return isinstance(case.expect, ExpectTruth) and all(math.prod(shape_of(s)) < SMALL for s in case.inputs.values())


@cache
def small_cases() -> tuple[Case, ...]:
    """Those with a truth and few numbers; options and documents before edges, since they are the plainest."""
    order = {"options": 0, "documents": 1}
    return tuple(sorted(filter(is_small, shipped_cases()), key=lambda case: order.get(case.id.partition("/")[0], 2)))


@cache
def table_of(place: int) -> TruthTable:
    case = small_cases()[place]
    return TruthTable(call_of(case, case.dtypes[0]))


def named(mutant: Mutant) -> Counter[tuple[Cause, ...]]:
    """How often each diagnosis is made of a known-bad implementation; none where its answers have another type or
    shape, or are errors, which says what is wrong by itself."""
    found: Counter[tuple[Cause, ...]] = Counter()
    bad = adapter(mutant.name)

    def listen(*arguments: Any, **more: Any) -> tuple[Cause, ...]:
        causes = diagnose(*arguments, **more)
        found[causes] += 1
        return causes

    for place, case in enumerate(small_cases()):
        if case.loss in mutant.losses and found.total() < ENOUGH:
            t = table_of(place)
            subject = Subject(
                case=case.id,
                implementation=mutant.name,
                version="1",
                mode="eager",
                dtype=t.dtype,
                expect=case.expect,
                differentiate=case.differentiate,
                flush_to_zero=False,
                table=t,
                diagnose=listen,
            )
            judge(subject, evaluate(bad, t.call), Ledger())
    return found


def names(causes: Sequence[Cause]) -> list[str]:
    return [cause.mistake for cause in causes]


def is_named(mutant: Mutant, found: Counter[tuple[Cause, ...]]) -> bool:
    """Whether the mistake is among the causes that are given most often."""
    return bool(found) and mutant.step in names(found.most_common(1)[0][0])


SAMPLE = [mutant for mutant in MUTANTS.values() if mutant.kind not in ("conduct", "outputs")][::3]
"""A third, of every kind: they are listed by kind, and a search takes as long as a run of a case. None of outputs:
what is returned beside the value is judged as the value of another call, whose own mistakes are named."""
FLOOR = 0.93
"""Of the known-bad implementations whose numbers are wrong on a small case, the share that is named. What is not makes
its mistake at a seam, where small cases show a simpler one."""


def test_nearly_every_known_bad_implementation_is_named_by_its_own_name() -> None:
    """Of all 516 that are wrong on a small case 496 are named."""
    diagnosed = {mutant.name: (mutant, found) for mutant in SAMPLE if (found := named(mutant))}
    missed = [name for name, (mutant, found) in diagnosed.items() if not is_named(mutant, found)]
    assert len(diagnosed) > 120
    assert len(missed) <= (1 - FLOOR) * len(diagnosed), missed
    assert all(len(causes) <= NAMED for _, found in diagnosed.values() for causes in found)


@pytest.mark.parametrize(
    "name",
    [
        "mean-over-classes.softmax_cross_entropy",
        "denominator-plus-epsilon.categorical_cross_entropy",
        "drops-the-tail.binary_cross_entropy_with_logits",
        "log-base-2.categorical_cross_entropy",
        "clip.entropy",
        "clip-and-add.kl_divergence",
        "log-of-softmax.log_softmax",
        "capped-loss.categorical_focal",
        "softmax-twice.softmax_cross_entropy",
        "smoothing-over-others.softmax_cross_entropy",
        "opposite-gradient.softmax_cross_entropy",
        "gradient-lacks-reciprocal.entropy",
        "sigmoid-in-float16.binary_focal",
        "squares-class-weights.softmax_cross_entropy",
        "pos-weight-on-negatives.binary_cross_entropy_with_logits",
        "kl-reversed.kl_divergence",
        "detached-focal-weight.binary_focal",
        "gauss-newton.softmax_cross_entropy",
        "second-difference.binary_cross_entropy",
        "nan-to-zero.log_softmax",
    ],
)
def test_a_mistake_is_the_first_that_is_named(name: str) -> None:
    mutant = MUTANTS[name]
    first = named(mutant).most_common(1)[0][0][0]
    assert first.mistake == mutant.step


def test_what_is_made_in_a_part_has_the_name_of_a_mistake_made_in_the_whole() -> None:
    whole = {named.name for named in MISTAKES if not named.mistake.same_step}
    assert len(MISTAKES) == len({named.name for named in MISTAKES})
    assert {named.mistake.same_step for named in MISTAKES if named.mistake.same_step} <= whole


def table(
    loss: str, inputs: Mapping[str, Any], options: Mapping[str, Any] | None = None, dtype: str = "float64"
) -> TruthTable:
    arrays = {
        name: Array.of(values, dtype if np.asarray(values).dtype.kind == "f" else "int64")
        for name, values in inputs.items()
    }
    first = next(name for name, array in arrays.items() if array.is_float and name != "targets")
    given = {n: Array.of(v, dtype) if isinstance(v, list) else v for n, v in (options or {}).items()}
    return TruthTable(Call(loss, arrays, given, dtype, differentiate=(first,)))


def causes(table: TruthTable, got: Any, aspect: str = "value", computed_in: str | None = None) -> tuple[Cause, ...]:
    truth = table.under().targets[aspect]
    return diagnose(np.asarray(got), aspect, truth, table, flush_to_zero=False, computed_in=computed_in)


def test_at_most_three_causes_are_named_of_those_that_come_to_the_same() -> None:
    one = table(
        "softmax_cross_entropy", {"logits": [[1.0, 2.0]], "targets": [0]}, {"class_weights": [4.0, 1.0], **MEAN}
    )
    found = causes(one, one.under({"denominator": "one"}).targets["value"].hi)
    assert len(found) == NAMED
    assert names(found)[0] == "mean-over-count"
    assert ", or: the mean divides by" in sentence_of(found)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize(("loss", "aspect"), [("softmax", "value"), ("softmax_cross_entropy", "gradient")])
def test_a_subnormal_number_that_is_zero_was_flushed_and_nothing_else(loss: str, aspect: str, dtype: str) -> None:
    """In bfloat16 the rounding of the logits moves such a number by as much as it is."""
    fmt = FORMATS[dtype]
    x = float(np.round(-math.log(fmt.smallest_subnormal * 32), 1))
    targets = {} if loss == "softmax" else {"targets": [0, 0]}
    t = table(loss, {"logits": [[x, 0.0], [1.0, 2.0]], **targets}, {} if loss == "softmax" else NONE, dtype)
    truth = t.under().targets[aspect].hi
    tiny = np.abs(truth) < fmt.smallest_normal
    assert tiny.any()
    found = causes(t, rounded(np.where(tiny, 0.0, truth), fmt), aspect)
    assert [cause.sentence for cause in found] == ["subnormal numbers are flushed to zero"]


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_a_shift_that_is_added_and_taken_off_again_is_named_in_every_format(dtype: str) -> None:
    """logsumexp(x) − x_t, both rounded."""
    fmt = FORMATS[dtype]
    x = rounded(np.array([[1000.0, 1001.0, 999.0], [3.0, 2.5, 1.0]]), fmt)
    t = table("softmax_cross_entropy", {"logits": x.tolist(), "targets": [0, 2]}, NONE, dtype)
    top = x.max(axis=1)
    normaliser = rounded(top + np.log(np.exp(x - top[:, None]).sum(axis=1)), fmt)
    found = causes(t, rounded(normaliser - x[[0, 1], [0, 2]], fmt))
    assert names(found)[0] == "rounded-normaliser"
    assert "a large number is added and taken off again" in found[0].sentence


def test_a_sum_of_exponentials_that_overflows_is_named_by_the_value_and_by_the_gradient() -> None:
    """ln Σ exp x − x_t and exp(x − ln Σ exp x) as they stand, as kernels write them that keep the normaliser."""
    t = table("softmax_cross_entropy", {"logits": [[800.0, 1.0], [3.0, 2.5]], "targets": [0, 1]}, NONE)
    assert "unshifted-normaliser" in names(causes(t, [np.inf, math.log1p(math.exp(0.5))]))
    p = 1 / (1 + math.exp(-0.5))
    assert "unshifted-normaliser" in names(causes(t, [[-1.0, 0.0], [p, -p]], "gradient"))


def test_a_clip_explains_an_infinite_truth_only_by_its_own_number() -> None:
    impossible = table("categorical_cross_entropy", {"probabilities": [[0.0, 1.0]], "targets": [0]}, NONE)
    clipped = next(cause for cause in causes(impossible, [16.11809565095832]) if cause.mistake == "clip")
    assert (clipped.sentence, clipped.parameters) == ("probabilities are clipped: clip(1e-07)", (1e-7,))
    assert causes(impossible, [16.2]) == ()


def test_parameters_that_come_to_the_same_are_one_cause() -> None:
    t = table("categorical_cross_entropy", {"probabilities": [[3e-7, 1.0], [0.5, 0.5]], "targets": [0, 1]}, NONE)
    flushed = [np.inf, math.log(2)]
    cause = next(cause for cause in causes(t, flushed) if cause.mistake == "flushes-small-inputs")
    assert cause.parameters == (1e-6, 1e-5, 1e-4)
    assert cause.sentence == "probabilities below 1e-06 or 1e-05 or 0.0001 become 0"


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_deviation_a_half_format_would_forgive_is_not_blamed_on_it(name: str) -> None:
    t = table("softmax_cross_entropy", THREE, NONE)
    truth = t.under().targets["value"].hi
    off = truth * (1 + np.array([1, -2, 1.5]) * FORMATS[name].eps / 8)
    assert causes(t, off, computed_in=name) == ()


def test_what_a_half_format_holds_and_gives_is_named_after_it() -> None:
    t = table("softmax_cross_entropy", THREE, NONE)
    short = t.under().targets["value"].hi.astype(np.float16).astype(np.float64)
    (cause,) = causes(t, short)
    assert (cause.mistake, cause.parameters) == ("narrower-format", ("float16",))


def test_a_few_units_beyond_the_budget_are_not_given_a_cause() -> None:
    """Every small constant changes such a number a little; none of them is why it is off."""
    t = table("categorical_cross_entropy", {"probabilities": [[0.3, 0.7], [0.6, 0.4]], "targets": [0, 1]}, NONE)
    truth = t.under().targets["value"]
    off = truth.hi + np.array([6.0, -5.0]) * FORMATS["float64"].eps * truth.error_scale
    assert not compare(off, truth, FORMATS["float64"]).agrees
    assert "precision of float32" in sentence_of(causes(t, off))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_noise_is_given_no_cause(dtype: str) -> None:
    """With seven digits and more nothing comes to the same by chance; no step fails where it has no meaning."""
    random = np.random.default_rng(0)
    asked = 0
    for case in [case for case in small_cases() if dtype in case.dtypes][::20]:
        t = TruthTable(call_of(case, dtype))
        for aspect, target in t.under().targets.items():
            if target.hi.any() and bool((np.abs(target.hi) < 1e30).all()):  # overflow is as infinite whatever the cause
                noise = 1 + 0.05 * random.standard_normal(target.hi.shape)
                found = causes(t, rounded(target.hi * noise, FORMATS[dtype]), aspect)
                assert set(names(found)) <= OBSERVED, (case.id, aspect, found)
                asked += 1
    assert asked > 20


def test_a_large_input_is_named_after_the_first_cause_found() -> None:
    x = np.linspace(-3, 3, 3 * 8192).reshape(-1, 3)
    t = table("softmax_cross_entropy", {"logits": x, "targets": np.arange(8192) % 3}, MEAN)
    assert names(causes(t, t.under().targets["value"].hi / 3)) == ["mean-over-classes"]


@pytest.mark.parametrize(("aspect", "differentiated"), [("value", False), ("gradient", True)])
def test_what_a_mistake_does_not_change_is_computed_once(
    aspect: str, differentiated: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search asks for hundreds of answers of one call: the right steps are taken for the right answer, and a value
    is not differentiated. A few mistakes change the call itself, and have it computed anew."""
    taken: Counter[str] = Counter()

    def counted(*arguments: Any) -> Any:
        taken["pull_back"] += 1
        return steps.pull_back(*arguments)

    @dataclass(frozen=True)
    class Counted(steps.Steps):
        pull_back: Callable[..., Any] = counted

    monkeypatch.setattr("harness.mistakes.answers.Steps", Counted)
    x = np.linspace(-3, 3, 3 * MANY).reshape(-1, 3)
    t = table("softmax_cross_entropy", {"logits": x, "targets": np.arange(MANY) % 3}, NONE)
    assert causes(t, t.under().targets[aspect].hi * 1.234567, aspect) != ()
    asked = sum(len(named.mistake.parameters) for named in MISTAKES)
    assert (taken["pull_back"] > 0) is differentiated
    assert taken["pull_back"] < asked / 4


def test_a_loss_the_mistakes_are_not_made_in_is_only_looked_at() -> None:
    t = table("softmax_cross_entropy", THREE, {"reduction": "sum"})
    strange = Call("no_such_loss", t.call.inputs, t.call.options, "float64", differentiate=("logits",))
    other = table("softmax_cross_entropy", THREE, {"reduction": "sum"})
    other.call = strange
    found = causes(other, 2.0 * t.under().targets["value"].hi)
    assert [(cause.mistake, cause.parameters) for cause in found] == [("constant-factor", (2.0,))]


ACCUMULATED = [name for name, mutant in MUTANTS.items() if mutant.kind == WAYS and "micro-batch" in name]


@pytest.mark.parametrize("name", ACCUMULATED)
def test_what_is_wrong_about_micro_batches_is_named_in_their_mode(name: str) -> None:
    found: Counter[str] = Counter()
    for case in shipped_cases():
        if MICRO_BATCHES not in case.tags or case.loss not in MUTANTS[name].losses:
            continue
        t = TruthTable(call_of(case, case.dtypes[0]))
        subject = Subject(
            case=case.id,
            implementation=name,
            version="1",
            mode=ACCUMULATED_MODE,
            dtype=t.dtype,
            expect=case.expect,
            differentiate=case.differentiate,
            flush_to_zero=False,
            table=t,
            diagnose=diagnose,
        )
        outcome = evaluate(adapter(name), replace(t.call, mode=ACCUMULATED_MODE))
        found.update(cause for cell in judge(subject, outcome, Ledger()) for cause in cell.causes)
    assert MUTANTS[name].step in found


def test_a_first_block_of_minus_infinity_is_named_before_what_makes_nan_elsewhere() -> None:
    """exp(−∞ − −∞) in the first block of an online softmax."""
    logits = [[-math.inf] * 128 + [0.5, 1.0]]
    t = table("softmax_cross_entropy", {"logits": logits, "targets": [129]}, NONE, "float32")
    assert "masked-block-is-nan" in names(causes(t, [math.nan]))
    assert names(causes(t, [[math.nan] * 130], "gradient")) == ["masked-block-is-nan"]


@pytest.mark.parametrize(("classes", "size"), [(10, 4), (12, 4), (130, 64)])
def test_a_block_of_classes_that_is_never_walked_is_named_in_value_and_gradient(classes: int, size: int) -> None:
    """As an author writes it: range(0, C − size, size); what the last block holds is neither summed nor picked up."""
    x = np.random.default_rng(7).normal(size=(3, classes)) * 2
    labels = [0, classes - 1, 2]
    walked = range(0, classes - size, size)[-1] + size
    e = np.exp(x[:, :walked])
    hit = np.array([x[i, label] if label < walked else 0.0 for i, label in enumerate(labels)])
    t = table("softmax_cross_entropy", {"logits": x, "targets": labels}, NONE)
    p = np.concatenate([e / e.sum(1, keepdims=True), np.zeros((3, classes - walked))], axis=1)
    slope = p - [[float(j == label < walked) for j in range(classes)] for label in labels]
    assert names(causes(t, np.log(e.sum(1)) - hit)) == ["last-block-not-walked"]
    (cause,) = causes(t, slope, "gradient")
    assert cause.mistake == "last-block-not-walked"
    assert str(size) in cause.parameters


@pytest.mark.parametrize("column", [False, True])
def test_targets_with_an_axis_too_many_are_named(column: bool) -> None:
    """The losses of every logit with every target, averaged, or their first column as the losses of the rows."""
    z, t = np.array([0.5, -1.0, 2.0]), np.array([0.0, 1.0, 0.0])
    each = t[:, None] * np.log1p(np.exp(-z)) + (1 - t[:, None]) * np.log1p(np.exp(z))
    slopes = (1 / (1 + np.exp(-z)) - t[:, None]) / (3 if column else 9)
    value, slope = (each[:, 0].mean(), [slopes[:, 0].sum(), 0, 0]) if column else (each.mean(), slopes.sum(0))
    of = table("binary_cross_entropy_with_logits", {"logits": z, "targets": t}, MEAN)
    name = "every-target-for-the-first-logit" if column else "every-target-for-every-logit"
    assert name in names(causes(of, value))
    assert name in names(causes(of, slope, "gradient"))


@pytest.mark.parametrize("loss", ["binary_focal", "binary_cross_entropy_with_logits"])
def test_a_logarithm_of_a_sigmoid_of_few_digits_is_named_with_what_is_added_to_it(loss: str) -> None:
    z, one = np.array([100.0, 16.0, -3.0], np.float32), np.float32(1)
    p = one / (one + np.exp(-z))
    focus = p**2 if loss == "binary_focal" else one
    inputs = {"logits": z.tolist(), "targets": [0.0, 0.0, 0.0]}
    t = table(loss, inputs, NONE, "float32")
    added = causes(t, (-focus * np.log(one - p + np.float32(1e-8))).tolist())
    assert names(added) == ["epsilon-added-to-rounded-sigmoid"]
    assert added[0].parameters == (1e-8,)
    slopes = np.array(t.under().targets["gradient"].hi)
    slopes[0] = math.nan
    assert names(causes(t, slopes.tolist(), "gradient")) == ["slope-of-log-zero"]
    endless = table(loss, {**inputs, "logits": [100.0, 16.0, -100.0]}, NONE, "float32")
    slopes = np.array(endless.under().targets["gradient"].hi)
    slopes[[0, 2]] = math.nan
    assert names(causes(endless, slopes.tolist(), "gradient"))[0] == "slope-of-log-zero"


def test_a_logarithm_of_a_raised_sigmoid_of_few_digits_is_named() -> None:
    z, one = np.array([100.0, 16.0, -3.0], np.float32), np.float32(1)
    q = one - one / (one + np.exp(-z))
    t = table("binary_cross_entropy_with_logits", {"logits": z.tolist(), "targets": [0.0] * 3}, NONE, "float32")
    raised = causes(t, (-np.log(np.maximum(q, np.float32(1e-6)))).tolist())
    assert names(raised) == ["rounded-sigmoid-raised"]
    assert raised[0].parameters == (1e-6,)
