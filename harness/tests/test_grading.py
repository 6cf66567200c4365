"""Somebody's test of a loss, graded: from a subprocess, as it is used, and the tests that show the rest."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.standing_in import stand_in
from harness.core.cell import SEVERITIES
from harness.grading.trials import graders
from harness.mistakes import MUTANTS, adapter
from harness.mistakes.grading import Witness, grade, lacking, witnesses
from harness.reproduction.ready_tests import written_tests
from harness.suite.cover_file import cover_file, read_cover
from harness.tests.commands import xent
from harness.tests.shipped import shipped_cases

pytestmark = pytest.mark.slow

LOSS = "cross_entropy"
"""The loss with the fewest known-bad implementations: each is one start of Python."""

LOSSES = """\
import numpy as np


def cross_entropy(targets, probabilities):
    return -np.where(targets == 0, 0.0, targets * np.log(np.where(targets == 0, 1.0, probabilities))).sum(-1).mean()


ALIAS = cross_entropy
"""
EARLY = (
    "import losses\nfrom losses import cross_entropy\n\n\ndef total(t, p):\n    return cross_entropy(t, p) * len(t)\n"
)
WEAK = """\
import numpy as np
import users
import losses

t, p = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
assert abs(users.total(t, p) - 2 * np.log(2)) < 1e-9
assert losses.ALIAS is users.cross_entropy is losses.cross_entropy
"""
RUNNER = "import ready\n\nfor name in [n for n in vars(ready) if n.startswith('test_')]:\n    getattr(ready, name)()\n"


@pytest.fixture(scope="module")
def found() -> tuple[Witness, ...]:
    return witnesses(LOSS, shipped_cases(), read_cover(cover_file().read_text(encoding="utf-8"), "cover.yaml"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in (("losses.py", LOSSES), ("users.py", EARLY), ("weak.py", WEAK), ("runner.py", RUNNER)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def xent_grade(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return xent("grade", "--target", "losses.cross_entropy", "--like", LOSS, *arguments, folder=project)


def test_every_known_bad_implementation_that_a_call_can_show_fits(found: tuple[Witness, ...]) -> None:
    shown = [name for witness in found for name in witness.shows]
    assert len(shown) == len(set(shown))
    assert all(LOSS in MUTANTS[name].losses for name in shown)
    # A plain function returns the value only: who is wrong about the gradient alone cannot be told by it.
    assert not any(MUTANTS[name].kind == "gradients" for name in shown)
    assert len(shown) >= 8


def test_a_weak_test_is_graded_and_the_tests_for_the_rest_show_all_of_it(project: Path) -> None:
    before = {path.name: path.read_bytes() for path in project.iterdir()}
    weak = xent_grade(project, "--tests", "ready.py", "--markdown", "grade.md", "--", sys.executable, "weak.py")
    assert weak.returncode == 1, weak.stdout + weak.stderr
    match = re.search(r"score: (\d+) of (\d+) known-bad", weak.stdout)
    assert match is not None
    assert 0 < int(match[1]) < int(match[2])
    written = {path.name for path in project.iterdir()} - set(before)
    assert written == {"ready.py", "grade.md"}  # no cache, nothing compiled
    assert all((project / name).read_bytes() == content for name, content in before.items())
    report = (project / "grade.md").read_text(encoding="utf-8")
    assert f"{match[1]} of {match[2]} known-bad implementations noticed" in report.replace("\\\\", "")
    assert "xent.assert_close(" in report
    together = "import weak\nimport runner\n"
    (project / "both.py").write_text(together, encoding="utf-8")
    both = xent_grade(project, "--", sys.executable, "both.py")
    assert both.returncode == 0, both.stdout + both.stderr
    assert "(100 %)" in both.stdout


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("import losses\nassert losses.cross_entropy(1, 1) == 'x'", 5, "fails with a right implementation"),
        ("import losses", 5, "never calls losses.cross_entropy"),
        ("pass", 5, "never imports losses.cross_entropy"),
        (None, 4, "cannot be started"),
    ],
)
def test_what_cannot_be_graded_has_no_score(project: Path, script: str | None, code: int, says: str) -> None:
    command = ["./not-there"] if script is None else [sys.executable, "-c", script]
    ended = xent_grade(project, "--", *command)
    assert ended.returncode == code, ended.stdout + ended.stderr
    assert says in ended.stdout + ended.stderr
    assert "noticed" not in ended.stdout


def test_a_run_that_does_not_end_is_neither_noticed_nor_let_through(project: Path) -> None:
    hanging = WEAK.replace("assert abs", "import time\nif abs").replace("< 1e-9\n", "> 1e-9: time.sleep(600)\n", 1)
    (project / "hanging.py").write_text(hanging, encoding="utf-8")
    ended = xent_grade(project, "--time-limit", "5", "--parallel", "4", "--", sys.executable, "hanging.py")
    assert ended.returncode == 9, ended.stdout + ended.stderr
    assert "not found out, it did not end in time" in ended.stdout


def test_a_test_that_fails_by_chance_has_no_score(project: Path) -> None:
    """It fails from the second run with the right implementation on."""
    lines = "from pathlib import Path\nimport weak, os\nif os.environ['XENT_GRADE_IMPLEMENTATION'] == 'sound':\n"
    lines += "    Path('seen').touch(exist_ok=False)\n"
    (project / "flaky.py").write_text(lines, encoding="utf-8")
    ended = xent_grade(project, "--parallel", "4", "--", sys.executable, "flaky.py")
    assert ended.returncode == 9, ended.stdout + ended.stderr
    assert "fails by chance" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--target", "cross_entropy", "--", "x"], "expected module.function"),
        (["--target", "a.b"], "no command"),
        (["--target", "a.b", "--", "x"], "say with --like"),
        (["--target", "a.b", "--like", "nothing", "--", "x"], "is not known"),
    ],
)
def test_what_is_asked_wrongly_is_refused(project: Path, arguments: list[str], says: str) -> None:
    ended = xent("grade", *arguments, folder=project)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert says in ended.stderr


@given(said=st.data())
def test_a_grade_counts_each_once_and_what_lacks_shows_what_passed(
    found: tuple[Witness, ...], said: st.DataObject
) -> None:
    names = [name for witness in found for name in witness.shows]
    result = grade(found, {name: said.draw(st.sampled_from([True, False, None])) for name in names})
    assert len(result.noticed) + len(result.passed) + len(result.unknown) == len(names)
    severities = [SEVERITIES.index(g.severity) for g in result.passed]
    assert severities == sorted(severities)
    assert {name for witness in lacking(found, result) for name in witness.shows} == {g.name for g in result.passed}
    for attribute in ("kind", "severity"):
        counted = result.by(attribute).values()
        assert sum(noticed for noticed, _ in counted) == len(result.noticed)
        assert sum(of for _, of in counted) == len(names)


@pytest.mark.parametrize(
    ("framework", "function"),
    [
        ("torch", "torch.nn.functional.kl_div"),
        ("torch", "torch.nn.functional.binary_cross_entropy_with_logits"),
        ("jax", "optax.losses.kl_divergence"),
        ("numpy", "value_and_grad(entropy)"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_each_test_that_is_written_passes_what_is_right_and_fails_what_it_shows(framework: str, function: str) -> None:
    pytest.importorskip(framework)
    found = witnesses(function, shipped_cases(), read_cover(cover_file().read_text(encoding="utf-8"), "cover.yaml"))
    assert sum(len(witness.shows) for witness in found) >= 10
    for witness in found:
        text = written_tests((witness,), "losses_in_place.loss", function)
        if "xent.check(" in text:  # which asks a worker, that finds no such module
            continue
        assert runs(text, function, "sound"), text
        for name in witness.shows:
            assert not runs(text, function, name), f"{name}\n{text}"


def runs(text: str, function: str, implementation: str) -> bool:
    """Whether the only test of a module passes, with this implementation in the place of the function it imports."""
    module = ModuleType("losses_in_place")
    vars(module)["loss"] = stand_in(function, adapter(implementation).evaluate)
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "losses_in_place", module)
        exec(text, names)
        (test,) = (value for name, value in names.items() if name.startswith("test_"))
        try:
            test()
        except Exception:
            return False
        except pytest.fail.Exception:  # where an error was expected and none came
            return False
    return True


OBJECTS = """\
import torch


class BCELoss(torch.nn.Module):
    def __init__(self, weight=None, reduction="mean"):
        super().__init__()
        self.settings = weight, reduction

    def forward(self, input, target):
        weight, reduction = self.settings
        return torch.nn.functional.binary_cross_entropy(input, target, weight, reduction=reduction)
"""
USES_OBJECTS = """\
import objects
import torch

loss = torch.nn.ModuleList([objects.BCELoss(reduction="sum")])[0]
assert isinstance(loss, objects.BCELoss) and loss.settings == (None, "sum")
p = torch.tensor([0.25, 0.5], requires_grad=True)
(slope,) = torch.autograd.grad(loss(p, torch.ones(2)), p)
sign = -1 if bad else 1
torch.testing.assert_close(sign * slope, torch.tensor([-4.0, -2.0]))
"""


@pytest.mark.parametrize("bad", [False, True])
def test_objects_of_a_class_are_still_such_and_answer_as_what_stands_in_its_place(tmp_path: Path, bad: bool) -> None:
    pytest.importorskip("torch")
    (tmp_path / "objects.py").write_text(OBJECTS, encoding="utf-8")
    (tmp_path / "uses.py").write_text(f"bad = {bad}\n{USES_OBJECTS}", encoding="utf-8")
    with graders([sys.executable, str(tmp_path / "uses.py")], "objects.BCELoss", "torch.nn.BCELoss") as runs:
        trial = runs.trial("opposite-gradient.binary_cross_entropy" if bad else "sound", 300)
    assert (trial.replaced, trial.called, trial.ended.status) == (True, True, 0), trial.ended.printed
