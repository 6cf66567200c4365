"""For all tests of the harness.

Property tests have no deadline: how long an example takes says how busy the machine is, not whether it is right.
"""

import signal

import pytest
from hypothesis import settings

settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell that starts pytest in the background has it, and what it starts, ignore interrupts: tests send one."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
