"""For all tests of the harness.

Property tests have no deadline: how long an example takes says how busy the machine is, not whether it is right.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from harness.execution.worker_environment import compilation_cache
from harness.tests.commands import WIDE

settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first, so that none of them is what the others' processes wait for at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that starts pytest in the background has it ignore interrupts, nohup hangups; tests send both."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def alone() -> None:
    """A pytest that a test starts is none of the processes that share these tests (pytest -n)."""
    os.environ.pop("PYTEST_XDIST_WORKER", None)


@pytest.fixture(scope="session", autouse=True)
def compiled_apart() -> None:
    """PyTorch finds what it compiled at another level of the processor again, in a folder that others may have used."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(compilation_cache("torch", os.environ)))


@pytest.fixture(scope="session", autouse=True)
def sentences_in_one_line() -> Iterator[None]:
    """What a command says is looked for as it is written, wherever the terminal of whoever runs the tests ends."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in WIDE.items():
            patch.setenv(name, value)
        yield
