"""Implementations that crash, hang, print, fork and answer nonsense: each its own outcome, and the rest goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.adapters.registry import resolve
from harness.core.outcomes import Crashed, Missing, Outcome, Raised, Refused, Returned, TimedOut
from harness.execution import supervisor
from harness.execution.pool import WorkerPool
from harness.tests import miniatures
from harness.tests.pools import PLENTY, ask, is_gone_within, miniature, plan

pytestmark = pytest.mark.slow

TIMEOUT = 5.0
"""Long enough for an honest call on a busy machine, short enough to wait for those that hang."""

VIOLATED = "protocol violated: "
UNSENDABLE = "the adapter's answer cannot be sent: "

EXPECTED: dict[str, Outcome] = {
    "Aborts": Crashed("SIGABRT", "Fatal Python error: Aborted", each_time=True),
    "Segfaults": Crashed("SIGSEGV", "Fatal Python error: Segmentation fault", each_time=True),
    "LeavesAtOnce": Crashed("exit status 7", each_time=True),
    "ClosesItsPipes": Crashed("exit status 1", "OSError: [Errno 9] Bad file descriptor", each_time=True),
    "ForksAndDies": Crashed("SIGKILL", each_time=True),
    "Hangs": TimedOut(TIMEOUT, each_time=True),
    "HangsHoldingTheLock": TimedOut(TIMEOUT, each_time=True),
    "Exits": Raised("builtins.SystemExit", "3"),
    "RaisesBaseException": Raised("builtins.BaseException", "not even an Exception"),
    "Interrupts": Raised("builtins.KeyboardInterrupt", ""),
    "RaisesUnprintable": Raised(
        "harness.tests.miniatures.RaisesUnprintable.misbehave.<locals>.UnprintableError",
        "(its message cannot be shown)",
    ),
    "RaisesVolumes": Raised("builtins.ValueError", "x" * 4000 + "…"),
    "Refuses": Refused("bad luck"),
    "Babbles": Missing(VIOLATED + "not JSON: b'{nonsense'"),
    "AnswersUnasked": Missing(VIOLATED + "an answer to request -1, expected one to 5"),
    "ReturnsNothing": Missing("the adapter returned NoneType, expected an Answer"),
    "ReturnsANumber": Missing("the adapter returned float, expected an Answer"),
    "ReturnsAPlainArray": Missing("the adapter's value is a ndarray, expected an Array"),
    "ReturnsAPlainGradient": Missing(UNSENDABLE + "the gradient of logits is a list, expected an Array"),
    "ReturnsAStrangeConvention": Missing(UNSENDABLE + "a message holds numbers, texts and lists, no object"),
}
HARMLESS = ("Idle", "Prints", "PrintsVolumes", "ClosesItsOutput", "ForksAndReturnsTwice", "LeavesAChild")
UNSENT = ("ReturnsObjects", "ReturnsComplexNumbers")


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[Outcome]]:
    """What came of a lucky call, the unlucky one, and two more lucky ones, all implementations side by side."""
    names = [miniature(name) for name in (*EXPECTED, *HARMLESS, *UNSENT)]
    return ask(names, (1.0, miniatures.UNLUCKY, 2.0, 3.0), timeout=TIMEOUT)


@pytest.mark.parametrize("name", EXPECTED)
def test_misconduct_is_its_own_outcome(name: str, outcomes: dict[str, list[Outcome]]) -> None:
    assert outcomes[miniature(name)][1] == EXPECTED[name]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_harms_nobody_is_no_verdict(name: str, outcomes: dict[str, list[Outcome]]) -> None:
    assert isinstance(outcomes[miniature(name)][1], Returned)


@pytest.mark.parametrize("name", UNSENT)
def test_arrays_of_other_than_numbers_cannot_be_sent(name: str, outcomes: dict[str, list[Outcome]]) -> None:
    found = outcomes[miniature(name)][1]
    assert isinstance(found, Missing)
    assert found.reason.startswith(UNSENDABLE + "the value is of")


@pytest.mark.parametrize("name", [*EXPECTED, *HARMLESS, *UNSENT])
def test_calls_before_and_after_are_answered(name: str, outcomes: dict[str, list[Outcome]]) -> None:
    first, _, third, fourth = outcomes[miniature(name)]
    for outcome, logit in ((first, 1.0), (third, 2.0), (fourth, 3.0)):
        assert isinstance(outcome, Returned)
        assert outcome.value.to_float64().tolist() == [[logit, 2.0]]


def test_every_miniature_is_tested_here_or_below() -> None:
    classes = {name for name, found in vars(miniatures).items() if isinstance(found, type)}
    imported = {"Answer", "Array", "Call", "Description", "Unsupported", "Path", "Any"}
    elsewhere = {
        *("AbortsAlways", "AbortsOnce", "HangsAlways", "RefusesImport", "DiesAtStart", "HangsAtStart"),
        *("DescribesNothing", "Warns", "TellsItsEnvironment", "TellsItsLayout", "HangsWithAChild", "RoundsByThreads"),
        *("EndsWhoAsked", "EndsWhoAskedOnce"),
    }
    assert classes - imported == {*EXPECTED, *HARMLESS, *UNSENT, *elsewhere}


def test_a_call_that_succeeds_when_asked_again_counts_and_the_incident_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XENT_TEST_MARKER", str(tmp_path / "aborted"))
    name = miniature("AbortsOnce")
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
        outcomes = [outcome for _, outcome in pool.ask({name: plan(name, (1.0, miniatures.UNLUCKY, 2.0))})]
        (incident,) = pool.incidents()
    assert [type(outcome) for outcome in outcomes] == [Returned] * 3
    told = f"the worker of {name} on tests/logit-13 (eager, float64): died: SIGABRT; asked again, it answered"
    assert incident == told


@pytest.mark.parametrize(
    ("name", "outcome", "timeout"),
    [("AbortsAlways", Crashed("SIGABRT", "Fatal Python error: Aborted"), PLENTY), ("HangsAlways", TimedOut(0.2), 0.2)],
)
def test_one_that_fails_on_every_call_is_given_up(
    name: str, outcome: Outcome, timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "HOPELESS", 2)  # as after five, but sooner
    outcomes = ask([miniature(name)], range(5), timeout=timeout)[miniature(name)]
    assert outcomes == [outcome] * 2 + [Missing("given up after 2 calls in a row ended its worker")] * 3


def test_what_is_given_up_is_the_loss_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "HOPELESS", 2)
    name = miniature("Aborts")
    bad = [replace(q, case=replace(q.case, loss="log_softmax")) for q in plan(name, [miniatures.UNLUCKY] * 4)]
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
        asked = [*plan(name, (1.0,)), *bad, *plan(name, (2.0,))]
        outcomes = [outcome for _, outcome in pool.ask({name: asked})]
    assert [type(outcome) for outcome in outcomes] == [Returned, Crashed, Crashed, Missing, Missing, Returned]
    assert outcomes[3] == Missing("given up log_softmax after 2 calls in a row ended its worker")


def test_a_crash_before_the_first_answer_is_a_finding_once_another_call_is_answered() -> None:
    name = miniature("Aborts")
    first, second = ask([name], (miniatures.UNLUCKY, 1.0))[name]
    assert isinstance(first, Crashed)
    assert first.each_time
    assert isinstance(second, Returned)


def test_one_that_crashes_on_every_second_call_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MOST_FAILURES", 2)
    name = miniature("Aborts")
    outcomes = ask([name], (1.0, miniatures.UNLUCKY) * 3)[name]
    assert [type(outcome) for outcome in outcomes] == [Returned, Crashed] * 2 + [Missing] * 2
    assert outcomes[-1] == Missing("given up after its worker had ended 2 times")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (miniature("RefusesImport"), "ImportError: libframework.so.1: cannot open shared object file"),
        (miniature("DiesAtStart"), "died: SIGABRT; it printed last: the library was built for another processor"),
        (miniature("DescribesNothing"), "TypeError: describe() returned str, expected a Description"),
        (miniature("NoSuchClass"), "AttributeError: module harness.tests.miniatures has no NoSuchClass"),
        ("no_such_module:Class", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("command:/no/such/program", "cannot start command:/no/such/program: [Errno 2] No such file or directory"),
        ("command:/bin/echo hello", "died: exit status 0; it printed last: hello"),
    ],
)
def test_one_that_cannot_start_is_missing_with_its_reason(target: str, reason: str) -> None:
    with WorkerPool([resolve(target), resolve(miniature("Idle"))], timeout=PLENTY, parallel=2) as pool:
        descriptions, absent = pool.start()
        assert list(descriptions) == [miniature("Idle")]
        assert reason in absent[target]
        (answer,) = pool.ask({target: plan(target, (1.0,))})
    assert isinstance(answer[1], Missing)
    assert reason in answer[1].reason


def test_one_that_takes_forever_to_start_is_missing() -> None:
    name = miniature("HangsAtStart")
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1, startup=1.0) as pool:
        descriptions, absent = pool.start()
    assert not descriptions
    assert absent == {name: f"cannot start {name}: no answer within 1 s"}


def test_what_was_printed_is_kept() -> None:
    names = [miniature("Prints"), miniature("PrintsVolumes")]
    with WorkerPool([resolve(name) for name in names], timeout=PLENTY, parallel=1) as pool:
        for _ in pool.ask({name: plan(name, (miniatures.UNLUCKY,)) for name in names}):
            pass
        assert pool.stderr(names[0]).count("printed") == 5
        volumes = pool.stderr(names[1])
    assert volumes.endswith("n\nthe last word")
    assert len(volumes) <= 20_000


def test_a_forked_child_that_returns_does_not_answer() -> None:
    name = miniature("ForksAndReturnsTwice")
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
        outcomes = [outcome for _, outcome in pool.ask({name: plan(name, (1.0, *[miniatures.UNLUCKY] * 5, 2.0))})]
        assert pool.incidents() == []
    assert all(isinstance(outcome, Returned) for outcome in outcomes)


def test_what_a_worker_started_ends_with_it() -> None:
    name = miniature("LeavesAChild")
    with WorkerPool([resolve(name)], timeout=PLENTY, parallel=1) as pool:
        descriptions, _ = pool.start()
    assert is_gone_within(int(descriptions[name].version), 5.0)
