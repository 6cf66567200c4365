"""How a page in HTML is made from a template: everything that others said is text in it."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

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
    made.filters |= {"count": count, "rough": rough}
    made.globals |= {"address": address}
    return made


def _visible(value: object) -> object:
    """What a template prints, with what HTML forbids and what turns the direction of writing shown; markup of ours is
    left alone."""
    return visible(value) if type(value) is str else value
