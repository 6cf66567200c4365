"""What was measured of one player on one task, and the figures that follow from it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.execution.timing import Block
from harness.speed import memory_bound
from harness.speed import statistics as judging

Blocks = Sequence[Sequence[Block]]
"""By set of processes, in the order of the rounds."""


@dataclass
class Found:
    """What was measured of one player on one task, as far as the bench has come."""

    verdict: str = ""
    """Of the judged answer; the speed is shown where it agrees."""
    explanation: str = ""
    preparation: Mapping[str, float] = field(default_factory=dict)
    """Seconds in the first set of processes: later ones may find what it left in a cache, and prepare side by side."""
    blocks: list[list[Block]] = field(default_factory=list)
    """By set of processes, in the order of the rounds."""
    yardstick: list[list[Block]] = field(default_factory=list)
    """Of the yardstick, in the same rounds."""
    calls: int = 0
    """In a block."""
    seconds: float = 0.0
    """Of a call, roughly: what the number of calls in a block is chosen by."""
    slow: bool = False


@dataclass(frozen=True)
class MachineBlocks:
    """The machine in the rounds of a task: blocks of nothing, of reading and of copying so many bytes."""

    size: int
    nothing: Blocks
    read: Blocks
    copy: Blocks

    @property
    def overhead(self) -> float:
        """Seconds of ours in every call."""
        return seconds_per_call(self.nothing)

    @property
    def bandwidth(self) -> memory_bound.Bandwidth:
        return memory_bound.Bandwidth(self.size / seconds_per_call(self.read), self.size / seconds_per_call(self.copy))


def figures(needs: memory_bound.Traffic, found: Found, machine: MachineBlocks) -> dict[str, Any]:
    """Everything a run file keeps about one speed, the verdict of its ratio to the yardstick among it."""
    seconds = max(seconds_per_call(found.blocks) - machine.overhead, 1e-12)
    bandwidth = machine.bandwidth
    least = bandwidth.least_seconds(needs)
    blocks = [block for one_set in found.blocks for block in one_set]
    calls = found.calls
    first = found.preparation
    described: dict[str, Any] = {
        "judged": found.verdict,
        "seconds": seconds,
        "overhead_seconds": machine.overhead,
        "ns_per_element": 1e9 * seconds / needs.elements,
        "gb_per_s": (needs.read + needs.written) / seconds / 1e9,
        "limit_seconds": least,
        "fraction_of_limit": least / seconds,
        "read_gb_per_s": bandwidth.read / 1e9,
        "copy_gb_per_s": bandwidth.copy / 1e9,
        "elements": needs.elements,
        "bytes": needs.read + needs.written,
        "first_call_seconds": first["first_call"],
        "compile_seconds": first["first_call"] - first["second_call"],
        "placing_seconds": first["placing"],
        "cpu_seconds": statistics.median(b.cpu for b in blocks) / calls,
        "system_seconds": statistics.median(b.system for b in blocks) / calls,
        "page_faults": statistics.median(b.page_faults for b in blocks) / calls,
        "peak_mib": max(b.peak_bytes for b in blocks) / 2**20,
        "disturbed": sum(1 for b in blocks if not judging.is_calm(b.cpu, b.wall)) / len(blocks),
        "calls_per_block": calls,
        "blocks": len(blocks),
        "pairs": len(found.blocks),
    }
    return described | _against(found)


def _against(found: Found) -> dict[str, Any]:
    """The ratio to the yardstick and its verdict."""
    pairs = [_pair(mine, theirs) for mine, theirs in zip(found.blocks, found.yardstick, strict=True) if mine and theirs]
    if not pairs:
        return {}
    ratios = [ratio for ratio, _ in pairs]
    disturbed = sum(1 for _, calm in pairs if not calm) > len(pairs) / 2
    verdict, interval = judging.judge(ratios, disturbed=disturbed)
    compared: dict[str, Any] = {"mostly_disturbed": disturbed, "ratios": ratios, "verdict": verdict}
    if interval is not None:
        compared |= {"ratio": interval.ratio}
    if interval is not None and len(ratios) > 1:  # one pair has no interval
        compared |= {"ratio_low": interval.low, "ratio_high": interval.high}
    return compared


def _pair(mine: Sequence[Block], theirs: Sequence[Block]) -> tuple[float, bool]:
    """The ratio of one set of processes, from its calm rounds where there are any, and whether there are."""
    calm = judging.calm_rounds(*([judging.is_calm(b.cpu, b.wall) for b in blocks] for blocks in (mine, theirs)))
    chosen = calm or tuple(range(len(mine)))
    numerators, denominators = ([blocks[i].wall / blocks[i].calls for i in chosen] for blocks in (mine, theirs))
    return judging.pair_ratio(judging.round_ratios(numerators, denominators)), bool(calm)


def seconds_per_call(blocks: Blocks) -> float:
    """The median of all blocks."""
    return statistics.median(b.wall / b.calls for one_set in blocks for b in one_set)
