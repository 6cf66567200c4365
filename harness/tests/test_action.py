"""What a team copies works in its repository: the steps of the example and of the action, one after the other, here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.tests.commands import ROOT

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "examples" / "gated-upgrades"
ACTION = ROOT / ".github" / "actions" / "upgrade" / "action.yml"
WORKFLOWS = ROOT / ".github" / "workflows"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


class Runner:
    """As much of GitHub's as the steps need: a checkout is a link, an expression a name with a value."""

    def __init__(self, repository: Path, temporary: Path, base: str) -> None:
        self.repository, self.temporary = repository, temporary
        self.output, self.summary = temporary / "output", temporary / "summary"
        self.values = {"github.event.pull_request.base.sha || github.event.before": base, "vars.XENT": "owner/xent"}
        self.said = ""

    def text(self, value: str, more: Mapping[str, str]) -> str:
        values = {**self.values, **more}
        return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: values[found[1]], value)

    def steps(self, steps: list[dict[str, Any]], values: Mapping[str, str]) -> int:
        for step in steps:
            code = self.step(step, values)
            if code:
                return code
        return 0

    def step(self, step: dict[str, Any], values: Mapping[str, str]) -> int:
        given = {name: self.text(str(value), values) for name, value in step.get("with", {}).items()}
        if "run" in step:
            environment = {name: self.text(value, values) for name, value in step.get("env", {}).items()}
            return self.run(self.text(step["run"], values), environment)
        if step["uses"].startswith("actions/checkout@"):
            if "path" in given:
                assert given["repository"], "whose repository, else it is the caller's own"
                (self.repository / given["path"]).symlink_to(ROOT)
            return 0
        folder = self.repository / step["uses"]
        action = read(folder / "action.yml")
        inputs = {name: self.text(str(entry["default"]), {}) for name, entry in action["inputs"].items()} | given
        inputs["arguments"] = "--no-speed"  # half a minute that says nothing of the steps
        named = {f"inputs.{name}": value for name, value in inputs.items()}
        return self.steps(action["runs"]["steps"], {**named, "github.action_path": str(folder)})

    def run(self, script: str, environment: Mapping[str, str]) -> int:
        variables = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            **environment,
        }
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=self.repository, env=variables, capture_output=True, text=True)
        self.said += done.stdout + done.stderr
        return done.returncode


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@b.invalid", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def foreign(tmp_path: Path) -> Runner:
    """The example as a repository of its own, in which a bot has proposed another NumPy."""
    repository = tmp_path / "theirs"
    shutil.copytree(EXAMPLE, repository)
    settings = 'implementations = ["numpy"]\ncases = ["documents/d4-dog-in-bits"]\n'
    (repository / "xent.toml").write_text(settings, encoding="utf-8")
    (repository / "requirements.txt").write_text("numpy==2.3.5\n", encoding="utf-8")
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=before")
    (repository / "requirements.txt").write_text("numpy==2.4.0\n", encoding="utf-8")
    git(repository, "commit", "--quiet", "--all", "--message=a newer NumPy")
    (tmp_path / "runner").mkdir()
    return Runner(repository, tmp_path / "runner", git(repository, "rev-parse", "HEAD~1"))


def test_the_steps_that_a_team_copies_judge_an_upgrade_in_its_repository(foreign: Runner) -> None:
    (job,) = read(EXAMPLE / ".github" / "workflows" / "upgrade.yml")["jobs"].values()
    assert foreign.steps(job["steps"], {}) == 0, foreign.said
    assert "old side: " in foreign.said
    assert "Nothing changed: " in foreign.summary.read_text(encoding="utf-8")
    assert "| numpy | 2.3.5 | 2.4.0 |" in foreign.summary.read_text(encoding="utf-8")
    assert "code=0\n" in foreign.output.read_text(encoding="utf-8")
    assert (foreign.repository / "conformance-upgrade" / "upgrade.html").is_file()
    assert git(foreign.repository, "status", "--porcelain") == ""


@dataclass(frozen=True)
class Stubbed:
    """The action's last step in a repository with two commits, and in the place of `xent` what tells its arguments."""

    runner: Runner
    script: str

    def upgrade(self, **inputs: str) -> int:
        given = {"REQUIREMENTS": "requirements.txt", "ARGUMENTS": "", "OUTPUT": "conformance-upgrade", **inputs}
        return self.runner.run(self.script, given)

    @property
    def summary(self) -> str:
        return self.runner.summary.read_text(encoding="utf-8")


@pytest.fixture
def stubbed(tmp_path: Path) -> Stubbed:
    origin, repository, runner = tmp_path / "origin", tmp_path / "theirs", tmp_path / "runner"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch=main")
    for release in ("1", "2"):
        (origin / "requirements.txt").write_text(f"numpy=={release}\n", encoding="utf-8")
        git(origin, "add", ".")
        git(origin, "commit", "--quiet", f"--message={release}")
    git(origin, "branch", "earlier", "HEAD~1")
    git(tmp_path, "clone", "--quiet", str(origin), str(repository))
    program = runner / "xent" / "bin" / "xent"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\ncat "$3"\nprintf "<%s>" "$@"\necho\nexit 7\n', encoding="utf-8")
    program.chmod(0o755)
    (step,) = [s for s in read(ACTION)["runs"]["steps"] if s["name"] == "Upgrade"]
    return Stubbed(Runner(repository, runner, ""), step["run"])


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("", "no revision to compare with"),
        ("0" * 40, "no revision to compare with"),
        ("--upload-pack=touch executed;", "no revision to compare with"),
        ("--output=executed", "no revision to compare with"),
        ("nowhere", "no revision nowhere here or in origin"),
        ("$(touch executed)", "no revision $(touch executed) here or in origin"),
    ],
)
def test_a_base_that_is_no_revision_ends_with_4_and_says_so_in_the_summary(
    stubbed: Stubbed, base: str, says: str
) -> None:
    assert stubbed.upgrade(BASE=base) == 4
    assert f"    xent: {says}" in stubbed.summary
    assert not list(stubbed.runner.repository.rglob("executed"))


def test_a_base_is_a_commit_or_a_branch_of_the_origin_and_a_job_can_ask_twice(stubbed: Stubbed) -> None:
    for base in (git(stubbed.runner.repository, "rev-parse", "HEAD~1"), "earlier"):
        assert stubbed.upgrade(BASE=base, OUTPUT=f"of {base}") == 7
        assert "numpy==1\n" in stubbed.runner.said
        assert f"<-o><of {base}>" in stubbed.runner.said
        stubbed.runner.said = ""


def test_arguments_are_words_as_in_a_shell_of_which_none_is_carried_out(stubbed: Stubbed) -> None:
    hostile = "--cases 'a b' \"$(touch executed)\" '`touch executed`' --strict"
    file = "$(touch executed) 'a'\n.txt"
    (stubbed.runner.repository / file).touch()
    assert stubbed.upgrade(BASE="HEAD~1", ARGUMENTS=hostile, REQUIREMENTS=file) == 7
    assert "<--cases><a b><$(touch executed)><`touch executed`><--strict>" in stubbed.runner.said
    assert f"<--new-requirements><{file}>" in stubbed.runner.said
    assert not list(stubbed.runner.repository.rglob("executed"))
    assert "    <upgrade><--old-requirements>" in stubbed.summary, "what it said, where it wrote nothing"


def test_a_quote_that_is_not_closed_is_an_error_and_not_fewer_arguments(stubbed: Stubbed) -> None:
    assert stubbed.upgrade(BASE="HEAD~1", ARGUMENTS="--no-speed 'edges") == 4
    assert "<upgrade>" not in stubbed.runner.said
    assert "    xent: arguments: a quote is not closed" in stubbed.summary


@pytest.mark.parametrize("file", ["conformance.yml", "upgrade.yml"])
def test_a_workflow_that_is_called_checks_out_its_own_revision_and_installs_that(file: str) -> None:
    jobs = [job for job in read(WORKFLOWS / file)["jobs"].values() if "run" in str(job) and "checkout" in str(job)]
    assert jobs
    for job in jobs:
        checkouts = [step.get("with", {}) for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
        own = {"repository": "${{ job.workflow_repository }}", "ref": "${{ job.workflow_sha }}", "path": ".xent"}
        assert own in checkouts
        installed = [step["run"] for step in job["steps"] if "pip install" in step.get("run", "")]
        used = [step["uses"] for step in job["steps"] if step.get("uses", "").startswith("./")]
        assert all("./.xent" in text for text in installed)
        assert installed or used == ["./.xent/.github/actions/upgrade"]


def test_the_watch_on_pre_releases_says_in_its_summary_in_which_one_something_began(tmp_path: Path) -> None:
    """Its step, of a package that takes a second; the release is that which is installed."""
    programs = tmp_path / "programs"
    programs.mkdir()
    only = f"-i numpy --versions {version('numpy')} --cases documents/d4-dog-in-bits"
    script = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m harness "$@" {only}\n'
    (programs / "xent").write_text(script, encoding="utf-8")
    (programs / "xent").chmod(0o755)
    (step,) = [step for step in read(WORKFLOWS / "prereleases.yml")["jobs"]["since"]["steps"] if "env" in step]
    runner = Runner(tmp_path, tmp_path, "")
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    code = runner.run(step["run"], {"PACKAGE": "numpy", "PATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")})
    if "nothing is known of numpy" in runner.said:
        pytest.skip(f"no index that knows NumPy: {runner.said[-300:]}")
    assert code == 0, runner.said
    assert "1 releases" in runner.summary.read_text(encoding="utf-8")


def test_nothing_that_is_run_or_read_names_a_package_that_no_index_has_or_a_placeholder() -> None:
    listed = git(ROOT, "ls-files", "*.yml", "*.md", "*.py", "*.json", "*.toml", "*.ini").splitlines()
    wrong = re.compile(r"pip install +(?:--?\S+ +)*['\"]?xent\b(?!\[\w+\] @ file:)|\bOWNER" + "/")
    found = [name for name in listed if (ROOT / name).is_file() and wrong.search((ROOT / name).read_text("utf-8"))]
    assert found == []
