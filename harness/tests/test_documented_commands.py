"""Every command that README, tutorial and how-tos tell their reader to type: from a wheel, in a foreign folder.

A page is walked from its first command to its last in one folder, whose `xent.toml` keeps what is asked small; no word
of a command is changed. What cannot be typed in a test is in `NOT_TYPED`, with the reason. Where a page says what is
printed, `SAYS` has its words.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/tutorial.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/how-to/*.md"))]

SETTINGS = 'implementations = ["sklearn"]\ncases = ["documents/d4-dog*"]\n'
"""The project of each page: few cases on what starts quickly."""

INSTALLS = "installs packages from an index"
TOX = "is tox itself, which this test is a part of"
CLONE = "asks for the case files or tools of a clone; no part of a wheel"
MINUTES = "takes minutes"
SPEED = "measures on a quiet machine, which one that runs tests is not; test_speed_bench measures small workloads"
SET_UP = "python3 -m venv .venv && .venv/bin/python -m pip install --quiet -c constraints.txt tox && .venv/bin/tox"
NOT_TYPED: Mapping[str, str] = {
    f"{SET_UP} -e all": TOX,
    SET_UP: TOX,
    "pip install -e '.[all]'": INSTALLS,
    "xent upgrade torch==2.13.0 --from torch==2.12.1": INSTALLS,
    "xent history optax": INSTALLS,
    "xent certify": f"{MINUTES}: the certificate is made anew by hand, and a test asks a part of it",
    "xent kills": "is `tox -e kills`",
    "xent grade --target my_package.losses.cross_entropy -- pytest tests/test_loss.py": (
        f"{MINUTES}: a hundred and thirty runs of pytest with PyTorch; test_grading asks smaller losses"
    ),
    "pytest cases/documents -k d4": CLONE,
    "pytest cases/workloads --benchmark-only": CLONE,
    "xent golden edges options -o golden.parquet": f"{MINUTES}: 4,000 exact results; test_golden writes Parquet",
    "python3 -m venv .venv && . .venv/bin/activate": INSTALLS,
    "pip install -e '.[scipy,upgrade]'": INSTALLS,
    "xent upgrade scikit-learn==1.9.1 --from scikit-learn==1.4.2 --cases 'edges/*' --old-pin 'numpy<2'"
    " --old-pin 'scipy<1.14' -o upgrade": INSTALLS,
    "pip install 'distributed>=2024.5'": INSTALLS,
    "xent run --complete --executor tcp://HOST:8786 -o run.jsonl": "asks for a cluster at an address of one's own",
    "xent upgrade torch==2.15.0": INSTALLS,
    "xent upgrade torch==2.15.0 --from torch==2.13.0": INSTALLS,
    "xent upgrade jax==0.10.2 jaxlib==0.10.2 optax==0.2.8 --from jax==0.4.35 --from jaxlib==0.4.35"
    " --from optax==0.2.3": INSTALLS,
    "xent upgrade --old-requirements before.txt --new-requirements requirements.txt": INSTALLS,
    "xent upgrade --old-python before/bin/python --new-python after/bin/python -i torch": (
        f"{MINUTES}, most of them for speed; test_upgrade_planted asks it of a small implementation"
    ),
    "xent upgrade scikit-learn==1.9.1 --from scikit-learn==1.4.2 --old-pin 'numpy<2' --old-pin 'scipy<1.14'": INSTALLS,
    "xent upgrade scikit-learn==1.9.1 --from scikit-learn==1.4.2 --old-exclude-newer 2024-06-01": INSTALLS,
    "xent bench": SPEED,
    "xent bench 'softmax-*' --threads all -o speed.jsonl --report speed.html": SPEED,
    "xent bench 'softmax-*' -i torch -o speed.jsonl --report speed.html": SPEED,
    "xent bench -o before.jsonl": SPEED,
    "xent bench -o after.jsonl": SPEED,
    "xent gate before.jsonl after.jsonl": "is of the two before; test_speed_changes asks it of runs that are written",
    "xent bench --complete": f"{MINUTES}: every workload, the largest among them",
    "python -m tools.bench_self_tests aa": CLONE,
    "python -m tools.bench_self_tests planted": CLONE,
    "python -m tools.bench_self_tests overhead": CLONE,
    "pytest cases/workloads --benchmark-only --benchmark-save=before": CLONE,
    "pytest cases/workloads --benchmark-only --benchmark-compare=0001 --benchmark-compare-fail=median:10%": CLONE,
    "pytest cases/workloads --benchmark-only --benchmark-histogram=speed": CLONE,
    "pytest cases/workloads --benchmark-only --implementation torch -k 'softmax-32x10' --sets 1": CLONE,
    "tox -e bench": TOX,
    "tox -e levels": TOX,
    "xent run --complete -i onnxruntime --python ./avx2-python -o onnxruntime-avx2.jsonl": "asks for qemu",
    "mkdir -p arm/state/lists/partial arm/cache/archives/partial arm/root arm/site && touch arm/state/status": INSTALLS,
    'other="-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State=$PWD/arm/state'
    ' -o Dir::State::status=$PWD/arm/state/status -o Dir::Cache=$PWD/arm/cache"': INSTALLS,
    "apt-get $other update": INSTALLS,
    "(cd arm && apt-get $other download python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1"
    " libstdc++6 zlib1g libexpat1 libffi8 libssl3 libbz2-1.0 liblzma5"
    ' && for d in *.deb; do dpkg-deb -x "$d" root; done)': INSTALLS,
    "pip download -d arm/wheels -c constraints.txt --python-version 3.11 --only-binary :all:"
    " --platform manylinux2014_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_28_aarch64"
    " numpy pydantic pyyaml msgspec packaging mpmath cyclopts rich platformdirs jinja2 latex2mathml": INSTALLS,
    'for w in arm/wheels/*.whl; do python -m zipfile -e "$w" arm/site; done': INSTALLS,
    "PYTHONPATH=$PWD:arm/site qemu-aarch64 -L arm/root arm/root/usr/bin/python3.11 -m harness certify --digest": (
        "asks for qemu and what was downloaded"
    ),
    "xent certify --digest": "half a minute of a processor: test_reference_digest compares the same evaluations",
}

ENDS_WITH: Mapping[str, int] = {}
"""The exit codes that are not 0, of commands that are to show something wrong."""

SAYS: Mapping[str, tuple[str, ...]] = {
    "xent run 'edges/*' -i sklearn -i scipy -o before.jsonl --report before.html": (
        "Everything agrees or is explained.",
    ),
    "xent gate baseline.jsonl current.jsonl": ("Nothing changed.",),
}
"""What the page says that a command prints."""

NOT_COMPARED: Mapping[str, str] = {
    "docs/how-to/grade-your-test.md": "the score is that of a test that takes minutes, see NOT_TYPED",
    "docs/how-to/test-in-another-language.md": "shows a wrong loss; test_golden runs the examples, right and wrong",
}
"""Pages with an output that stands for others."""

IN_A_FOLDER_OF_ITS_OWN = {"xent init -i torch"}
"""What begins a project, where none is yet."""


def commands(text: str) -> list[str]:
    """The commands in a page's blocks, each as it is typed, without the remark behind it."""
    found: list[str] = []
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S):
        begun = ""
        for line in block.splitlines():
            begun += re.sub(r"(^|\s+)# .*", "", line) + "\n"
            if begun.strip() and _is_whole(begun):
                found.append(" ".join(begun.replace("\\\n", " ").split()))
                begun = ""
        assert not begun.strip(), f"no end: {begun}"
    return found


def _is_whole(begun: str) -> bool:
    """Whether a shell would begin at once: every quote and bracket is closed, and the line goes on no further."""
    if begun.endswith("\\\n") or begun.count("(") - begun.count("$(") > begun.count(")") - begun.count("$("):
        return False
    try:
        shlex.split(begun)
    except ValueError:
        return False
    return True


# --- the pages --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has xent from a wheel, and everything else from the one we run in."""
    place = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    environment = place / "environment"
    uv = shutil.which("uv", path=Path(sys.executable).parent) or "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    (wheel,) = place.glob("*.whl")
    python = environment / "bin" / "python"
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python"]
    subprocess.run([*install, python, wheel], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "running.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    found = typed("python -c 'import xent; print(xent.__file__)'", place, python.parent)
    assert found.stdout.startswith(str(packages)), found
    return python.parent


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page(page: str, installed: Path, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "xent.toml").write_text(SETTINGS, encoding="utf-8")
    what_is_there(folder, installed)
    for command in commands(text):
        if command in NOT_TYPED:
            continue
        place = tmp_path / "empty" if command in IN_A_FOLDER_OF_ITS_OWN else folder
        place.mkdir(exist_ok=True)
        done = typed(command, place, installed)
        assert done.returncode == ENDS_WITH.get(command, 0), (command, done.stdout, done.stderr)
        for said in SAYS.get(command, ()):
            assert said in text
            assert " ".join(said.split()) in " ".join(done.stdout.split()), (command, done.stdout)


def typed(command: str, folder: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    """A command in a shell that knows the environment's programs, and nothing of the checkout."""
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables["PATH"] = os.pathsep.join((str(programs), os.environ["PATH"]))
    return subprocess.run(["sh", "-c", command], cwd=folder, env=variables, capture_output=True, text=True)


def what_is_there(folder: Path, programs: Path) -> None:
    """What a reader has who comes to a page: the package that the how-to has written, a program."""
    package = folder / "my_package"
    package.mkdir()
    how_to = (ROOT / "docs/how-to/connect-your-loss.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", how_to, re.M | re.S)

    def written(mark: str) -> str:
        (block,) = (block for block in blocks if mark in block)
        return str(block)

    (package / "losses.py").write_text(LOSSES + written("MicroBatches"), encoding="utf-8")
    (package / "truths.py").write_text(written("def poly"), encoding="utf-8")
    (package / "tiny.py").write_text(written("class TinyLoss"), encoding="utf-8")
    adapter = (written("import fused_cross_entropy"), "import torch\n", written("autograd"))
    (package / "adapter.py").write_text("\n".join(adapter), encoding="utf-8")
    (folder / "tinyloss.py").write_text(TINY, encoding="utf-8")
    protocol = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", protocol, re.M | re.S)
    (folder / "my-program").write_text(f"#!{programs / 'python'}\n{program}", encoding="utf-8")
    (folder / "my-program").chmod(0o755)


LOSSES = """\
import torch

from harness.adapters.numpy import NumPy as MyLosses


def fused_cross_entropy(logits, labels, smoothing=0.0, ignored=-100, how="mean"):
    return torch.nn.functional.cross_entropy(
        logits, labels, label_smoothing=smoothing, ignore_index=ignored, reduction=how
    )


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0, n=None):
    if isinstance(n, int | float):
        return torch.nn.functional.cross_entropy(input, target, ignore_index=ignore_index, reduction="sum") / n
    return torch.nn.functional.cross_entropy(
        input, target, weight=weight, ignore_index=ignore_index, reduction=reduction, label_smoothing=label_smoothing
    )


"""
TINY = """\
import numpy as np

__version__ = "1.0"


def cross_entropy(logits, targets):
    shifted = logits - logits.max(-1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(-1, keepdims=True)) - shifted
    if targets.dtype.kind == "f":
        return (targets * losses).sum(-1).mean()
    return np.take_along_axis(losses, targets[..., None], -1).mean()
"""


# --- the lists --------------------------------------------------------------------------------------------------------


def test_every_exception_is_a_command_of_some_page() -> None:
    told = {command for page in PAGES for command in commands((ROOT / page).read_text(encoding="utf-8"))}
    assert set(NOT_TYPED) | set(ENDS_WITH) | set(SAYS) | IN_A_FOLDER_OF_ITS_OWN <= told


def test_what_is_shown_as_printed_is_compared_or_has_a_reason() -> None:
    assert {page for page in PAGES if "```text" in (ROOT / page).read_text(encoding="utf-8")} == set(NOT_COMPARED)


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_blocks_of_a_shell(page: str) -> None:
    """So that none is overlooked."""
    text = re.sub(r"^```sh\n.*?^```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.M | re.S)
    assert not re.findall(r"^(?:    |\$ ?)?(?:xent|pip|pytest|tox|python3?) .*", text, re.M)
