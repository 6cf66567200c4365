"""A run as Markdown, sized for the summary of a CI job or a comment on a pull request."""

from __future__ import annotations

import re

from harness.core.cell import ClaimRecord, Run
from reports.numbers import count, percent, rough
from reports.tally import Finding, Standing, sentence, standings, totals, worst_known, worst_things
from reports.words import CLAIM_MARKS, FINDINGS, INFRASTRUCTURE_STATUSES, MARKS, status

__all__ = ["render"]

_MOST_FINDINGS = 25
"""A job summary is read on one screen; the HTML report holds the rest."""
_MOST_KNOWN = 5
"""Where nothing disagrees, what a reader is told of the ledger."""
_LONGEST = 400
"""Characters of a message: GitHub refuses summaries above 1 MiB, and nobody reads a longer one in a table."""


def render(run: Run) -> str:
    """The verdict first, then a table of implementations, the gravest findings, the claims, what was run."""
    blocks = [
        "# Cross-entropy conformance",
        _verdict(run),
        _standings(standings(run)),
        *_findings(run),
        *_claims(run.claims),
        *_problems(run),
        _provenance(run),
    ]
    return "\n\n".join(blocks) + "\n"


def _verdict(run: Run) -> str:
    t = totals(run)
    share = percent(100.0 * t.right / t.judged if t.judged else None)
    words = [
        f"**{count(t.disagreeing)} of {count(t.judged)} judged cells disagree with the truth**"
        if t.disagreeing
        else f"**All {count(t.judged)} judged cells agree, or differ exactly as the ledger says**",
        f"{share} right, {count(t.counts.get('known', 0))} known,",
        f"over {count(t.cases)} cases and {t.implementations_run} implementations.",
    ]
    if t.infrastructure:
        words.append(f"**{count(t.infrastructure)} cells were not run to an end** (crashed, timed out, missing).")
    return " ".join([words[0] + ":", *words[1:]])


def _standings(all_standings: tuple[Standing, ...]) -> str:
    lines = [
        "| implementation | version | right | by convention | known | "
        + " | ".join(MARKS[f].word for f in FINDINGS)
        + " | not offered | crashed, timed out, missing |",
        "|---|---|" + "--:|" * (5 + len(FINDINGS)),
    ]
    for s in all_standings:
        counts = [s.counts.get(f, 0) for f in ("by_convention", "known", *FINDINGS, "unsupported")]
        broken = count(s.infrastructure) if s.missing is None else f"∅ {_inline(s.missing)}"
        cells = [_inline(s.implementation), _inline(s.version), percent(s.share), *(count(c) for c in counts), broken]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _findings(run: Run) -> list[str]:
    findings, title = worst_things(run, _MOST_FINDINGS), "## Gravest findings"
    if not findings:
        findings, title = worst_known(run, _MOST_KNOWN), "## Gravest known divergences"
    if not findings:
        return []
    lines = [title, "", "| | where | what |", "|---|---|---|"]
    lines += [_finding(f) for f in findings]
    return ["\n".join(lines)]


def _finding(f: Finding) -> str:
    mark = MARKS[status(f.cell)]
    more = f"; {count(f.alike - 1)} more alike on {f.loss}" if f.alike > 1 else ""
    error = f", {rough(f.cell.ulps)} ulp" if f.cell.ulps is not None else ""
    error += f"; ledger: {_inline(f.cell.ledger)}" if f.cell.ledger else ""
    return f"| {mark.glyph} {mark.word} | {_inline(f.cell.name)} | {_inline(sentence(f.cell))}{error}{_inline(more)} |"


def _claims(claims: tuple[ClaimRecord, ...]) -> list[str]:
    if not claims:
        return []
    lines = [
        f"<details><summary>{len(claims)} claims of the documents</summary>",
        "",
        "| | says | why |",
        "|---|---|---|",
    ]
    for claim in claims:
        glyph, word = CLAIM_MARKS[claim.verdict]
        surprise = "" if claim.expected else " **(not as expected)**"
        says = _inline(claim.says or claim.claimed)
        lines.append(f"| {glyph} {word}{surprise} | {says} | {_inline(claim.explanation)} |")
    return ["\n".join([*lines, "", "</details>"])]


def _problems(run: Run) -> list[str]:
    if not run.footer.problems:
        return []
    lines = ["## To be mended", ""]
    lines += [f"- {_inline(p.kind)}: {_inline(p.what)}; {_inline(p.hint)}" for p in run.footer.problems]
    return ["\n".join(lines)]


def _provenance(run: Run) -> str:
    suite, machine = run.header.suite, run.header.machine
    broken = ", ".join(MARKS[f].word for f in INFRASTRUCTURE_STATUSES)
    return (
        f"Suite {_inline(suite.get('version'))}, {_inline(run.header.started)}, {_inline(machine.get('cpu'))}, "
        f"Python {_inline(machine.get('python'))}. What is {broken} is in no percentage."
    )


def _inline(value: object) -> str:
    """Any text as literal text on one line of a table: no markup, no links, no mentions."""
    words = " ".join(("" if value is None else str(value)).split())
    if len(words) > _LONGEST:
        words = words[: _LONGEST - 1] + "…"
    words = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
    words = re.sub(r"([\\`*_{}\[\]()#+!|~$^])", r"\\\1", words)
    return re.sub(r"(?i)\b(https?|ftp|www)([:.])", r"\1&#8203;\2", words)
