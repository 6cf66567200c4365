"""`python -m harness.tests.faults`: the campaign, and what was wrong, by kind."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
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
    with bench(asked.source.resolve()) as ready:
        judged = ready.judged(list(drawn(kinds, ready.sample, asked.seed, asked.count)))
    _tell(judged, asked.shown)
    wrong = sum(1 for one in judged if one.wrong)
    print(f"{wrong} of {len(judged)} faults went wrong; {time.perf_counter() - since:.0f} s")
    return 1 if wrong else 0


def _tell(judged: list[Judged], most: int) -> None:
    drawn_of = Counter(one.kind for one in judged)
    wrong_of = Counter(one.kind for one in judged if one.wrong)
    for kind, count in drawn_of.items():
        print(f"{wrong_of[kind]:5} of {count:5} wrong  {kind}")
        for one in [one for one in judged if one.kind == kind and one.wrong][:most]:
            print(f"        {one.fault.what!a}: xent {' '.join(map(ascii, one.fault.arguments))}")
            for complaint in one.wrong:
                print(f"            {ascii(complaint)[1:-1]}")


sys.exit(main())
