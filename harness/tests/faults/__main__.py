"""`python -m harness.tests.faults`: the campaign, and what was wrong, by kind."""

from __future__ import annotations

import argparse
import sys
import time
from itertools import groupby
from pathlib import Path

from harness.tests.faults.campaign import Judged, bench, drawn
from harness.tests.faults.kinds import KINDS

ROOT = Path(__file__).resolve().parents[3]


def main() -> int:
    """Exit code 0 where every promise was kept, else 1."""
    parser = argparse.ArgumentParser(prog="python -m harness.tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="how many faults in all")
    parser.add_argument("--source", type=Path, default=ROOT, help="a checkout of the project; default: this one")
    parser.add_argument("--kind", action="append", help="only kinds whose names begin so; may be given several times")
    parser.add_argument("--shown", type=int, default=3, help="how many of a kind's faults that went wrong are shown")
    asked = parser.parse_args()
    kinds = [kind for kind in KINDS if asked.kind is None or kind.name.startswith(tuple(asked.kind))]
    if not kinds:
        parser.error(f"no kind begins so; there are {', '.join(kind.name for kind in KINDS)}")
    since = time.perf_counter()
    faults = wrong = 0
    with bench(asked.source.resolve()) as ready:
        judged = ready.judged(drawn(kinds, ready.sample, asked.seed, asked.count))
        for kind, group in groupby(judged, lambda one: one.kind):
            members = list(group)
            bad = [one for one in members if one.wrong]
            print(f"{len(bad):5} of {len(members):5} wrong  {kind}", flush=True)
            for one in bad[: asked.shown]:
                _tell(one)
            faults, wrong = faults + len(members), wrong + len(bad)
    print(f"{wrong} of {faults} faults went wrong; {time.perf_counter() - since:.0f} s")
    return 1 if wrong else 0


def _tell(one: Judged) -> None:
    """A fault that went wrong, in ASCII: its texts would do to this terminal what they were made for."""
    print(f"        {one.fault.what!a}: xent {' '.join(map(ascii, one.fault.arguments))}")
    for complaint in one.wrong:
        print(f"            {ascii(complaint)[1:-1]}")


sys.exit(main())
