"""How a page in HTML is made from a template: everything that others said is text in it."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.core.printing import visible
from reports.html.addresses import address
from reports.number_format import count, rough


def environment() -> Environment:
    """The templates' surroundings: everything is escaped, and what is not there is an error."""
    made = Environment(
        loader=PackageLoader("reports.html", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_visible,
    )
    made.filters |= {"count": count, "rough": rough, "whole": whole}
    made.globals |= {"address": address}
    return made


_WITH_EXPONENT = re.compile(r"(-?\d[\d.]*e[-+]?\d+)")


def whole(text: str) -> Markup:
    """A text in which no number with an exponent is broken behind its "e-"."""
    pieces = (visible(piece) for piece in _WITH_EXPONENT.split(text))
    numbered = enumerate(pieces)
    return Markup("").join(Markup('<span class="number">{}</span>').format(p) if k % 2 else p for k, p in numbered)


def _visible(value: object) -> object:
    """What a template prints, with what HTML forbids and what turns the direction of writing shown; markup of ours is
    left alone."""
    return visible(value) if type(value) is str else value
