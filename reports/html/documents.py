"""The articles and what they say: each claim once, what is wrong first, and whether the article can be trusted."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.core.cell import CLAIM_VERDICTS, ClaimRecord
from reports.number_format import count, shown
from reports.tally import text
from reports.words import CLAIM_MARKS

__all__ = ["ARTICLES", "Article", "ClaimLine", "Document", "build", "of_case"]


@dataclass(frozen=True)
class Article:
    """What a document is."""

    name: str
    title: str
    origin: str


_CHINESE = "an article in Chinese"
ARTICLES: Mapping[str, Article] = MappingProxyType(
    {
        "000_78411d722bf5d7ff.txt": Article(
            "D0", "Using a Python function to compute the cross-entropy loss", _CHINESE
        ),
        "001_7bf802f4aa1d12ce.txt": Article("D1", "Cross-entropy loss: basic concepts and program code", _CHINESE),
        "002_09cf5b6480264683.txt": Article(
            "D2", "Cross-entropy from zero, with an image-classification example", _CHINESE
        ),
        "003_c9fa7be9dd8473f7.txt": Article("D3", "Cross-entropy error", _CHINESE),
        "004_a0753feac59ab598.txt": Article(
            "D4", "Cross-entropy loss function", "an English article in a Chinese translation, its formulas pictures"
        ),
    }
)
"""By the name under which cases cite them. Titles are translated."""

GRAVEST = ("wrong", "holds_under_convention", "cannot_be_checked", "holds_to_printed_digits", "holds")
"""Verdicts in the order in which a reader wants them; a test compares them with `CLAIM_VERDICTS`."""


@dataclass(frozen=True)
class ClaimLine:
    """One claim, judged on one case or on several."""

    key: str
    glyph: str
    word: str
    says: str
    claimed: str
    truth: str
    why: str
    convention: str
    cases: tuple[str, ...]
    """Where it is judged so."""
    otherwise: tuple[tuple[str, str], ...]
    """Cases on which it is judged otherwise, with the word for how."""
    expected: bool


@dataclass(frozen=True)
class Document:
    """An article with its claims, the gravest verdict first."""

    name: str
    file: str
    title: str
    origin: str
    trust: str
    """Whether it can be trusted, in a sentence."""
    claims: tuple[ClaimLine, ...]
    counts: tuple[tuple[str, str, int], ...]
    """Glyph, word, number of claims; only those that occur."""


def build(claims: Sequence[ClaimRecord]) -> tuple[Document, ...]:
    by_document: dict[str, list[ClaimRecord]] = defaultdict(list)
    for claim in claims:
        by_document[claim.document or "without a document"].append(claim)
    return tuple(_document(file, by_document[file]) for file in sorted(by_document))


def of_case(claims: Sequence[ClaimRecord]) -> Mapping[str, tuple[ClaimLine, ...]]:
    """The claims that each case judges."""
    by_case: dict[str, list[ClaimRecord]] = defaultdict(list)
    for claim in claims:
        by_case[claim.case].append(claim)
    return {case: _lines(of) for case, of in by_case.items()}


def _document(file: str, claims: Sequence[ClaimRecord]) -> Document:
    article = ARTICLES.get(file, Article(file, "", ""))
    lines = _lines(claims)
    counts = Counter(line.key for line in lines)
    return Document(
        name=article.name,
        file=file,
        title=article.title,
        origin=article.origin,
        trust=_trust(counts),
        claims=lines,
        counts=tuple((*CLAIM_MARKS[v], counts[v]) for v in CLAIM_VERDICTS if counts[v]),
    )


def _trust(counts: Mapping[str, int]) -> str:
    """
    >>> _trust({"holds": 3, "wrong": 1})
    'Not in everything: 1 of 4 claims is wrong.'
    >>> _trust({"holds": 2, "holds_under_convention": 1})
    'With care: 1 of 3 claims holds only under another convention than the article names.'
    """
    total, wrong, under = sum(counts.values()), counts.get("wrong", 0), counts.get("holds_under_convention", 0)
    open_ = counts.get("cannot_be_checked", 0)
    of = f"{{}} of {count(total)} claims"
    if wrong:
        more = f", and {count(under)} more only under another convention" if under else ""
        return f"Not in everything: {of.format(count(wrong))} {'is' if wrong == 1 else 'are'} wrong{more}."
    if under:
        holds = "holds" if under == 1 else "hold"
        return f"With care: {of.format(count(under))} {holds} only under another convention than the article names."
    if open_:
        return f"As far as it can be checked: {of.format(count(total - open_))} hold, the rest cannot be checked."
    return f"Yes: {'its one claim holds' if total == 1 else f'all {count(total)} claims hold'}."


def _lines(claims: Sequence[ClaimRecord]) -> tuple[ClaimLine, ...]:
    by_words: dict[str, list[ClaimRecord]] = defaultdict(list)
    for claim in claims:
        by_words[claim.says or text(claim.claimed)].append(claim)
    lines = [_line(same) for same in by_words.values()]
    return tuple(sorted(lines, key=lambda line: (line.expected, GRAVEST.index(line.key))))


def _line(same: Sequence[ClaimRecord]) -> ClaimLine:
    """A claim that several cases judge is as bad as where it fares worst."""
    worst = min(same, key=lambda claim: (claim.expected, GRAVEST.index(claim.verdict)))
    glyph, word = CLAIM_MARKS[worst.verdict]
    alike = [claim for claim in same if claim.verdict == worst.verdict]
    return ClaimLine(
        key=worst.verdict,
        glyph=glyph,
        word=word,
        says=worst.says,
        claimed="" if worst.claimed == worst.says else shown(worst.claimed, "float64"),
        truth=shown(worst.truth, "float64"),
        why=worst.explanation,
        convention=text(worst.convention),
        cases=tuple(dict.fromkeys(claim.case for claim in alike)),
        otherwise=tuple(dict.fromkeys((c.case, CLAIM_MARKS[c.verdict][1]) for c in same if c.verdict != worst.verdict)),
        expected=all(claim.expected for claim in same),
    )
