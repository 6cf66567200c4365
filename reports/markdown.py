"""A run as Markdown, sized for the summary of a CI job or a comment on a pull request."""

from __future__ import annotations

from harness.core.cell import ClaimRecord, Run
from harness.core.text import markdown, table_row
from reports.number_format import count, percent, rough
from reports.tally import Finding, Standing, sentence, standings, totals, worst_known, worst_things
from reports.words import CLAIM_MARKS, FINDINGS, INFRASTRUCTURE_STATUSES, MARKS, status

__all__ = ["render"]

_MOST_FINDINGS = 25
"""A job summary is read on one screen; the HTML report holds the rest."""
_MOST_KNOWN = 5
"""Where nothing disagrees, what a reader is told of the ledger."""


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
    disagree = "**{} of {} judged cells disagree with the truth**:"
    agree = "**All {} judged cells agree, or differ exactly as the ledger says**:"
    judged = count(t.judged)
    words = [
        markdown(disagree, count(t.disagreeing), judged) if t.disagreeing else markdown(agree, judged),
        markdown(
            "{} right, {} known, over {} cases and {} implementations.",
            percent(100.0 * t.right / t.judged if t.judged else None),
            count(t.counts.get("known", 0)),
            count(t.cases),
            t.implementations_run,
        ),
    ]
    if t.infrastructure:
        broken = "**{} cells were not run to an end** (crashed, timed out, missing)."
        words.append(markdown(broken, count(t.infrastructure)))
    return " ".join(words)


def _standings(all_standings: tuple[Standing, ...]) -> str:
    headings = ("implementation", "version", "right", "by convention", "known", *(MARKS[f].word for f in FINDINGS))
    lines = [
        table_row(*headings, "not offered", "crashed, timed out, missing"),
        "|---|---|" + "--:|" * len(headings),
    ]
    for s in all_standings:
        counts = [s.counts.get(f, 0) for f in ("by_convention", "known", *FINDINGS, "unsupported")]
        broken = count(s.infrastructure) if s.missing is None else f"∅ {s.missing}"
        lines.append(table_row(s.implementation, s.version, percent(s.share), *(count(c) for c in counts), broken))
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
    entry = f"; ledger: {f.cell.ledger}" if f.cell.ledger else ""
    # Each a text of its own, so that a long sentence leaves the others their room.
    what = "".join(markdown("{}", text) for text in (sentence(f.cell), error, entry, more))
    return markdown("| {} {} | {} | ", mark.glyph, mark.word, f.cell.name) + what + " |"


def _claims(claims: tuple[ClaimRecord, ...]) -> list[str]:
    if not claims:
        return []
    lines = [
        markdown("<details><summary>{} claims of the documents</summary>", len(claims)),
        "",
        "| | says | why |",
        "|---|---|---|",
    ]
    for claim in claims:
        glyph, word = CLAIM_MARKS[claim.verdict]
        surprise = "" if claim.expected else " **(not as expected)**"
        row = "| {} {}" + surprise + " | {} | {} |"
        lines.append(markdown(row, glyph, word, claim.says or claim.claimed, claim.explanation))
    return ["\n".join([*lines, "", "</details>"])]


def _problems(run: Run) -> list[str]:
    if not run.footer.problems:
        return []
    lines = ["## To be mended", ""]
    lines += [markdown("- {}: {}; {}", p.kind, p.what, p.hint) for p in run.footer.problems]
    return ["\n".join(lines)]


def _provenance(run: Run) -> str:
    suite, machine = run.header.suite, run.header.machine
    return markdown(
        "Suite {}, {}, {}, Python {}. What is {} is in no percentage.",
        suite.get("version"),
        run.header.started,
        machine.get("cpu"),
        machine.get("python"),
        ", ".join(MARKS[f].word for f in INFRASTRUCTURE_STATUSES),
    )
