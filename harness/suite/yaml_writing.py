"""Values become YAML text that `harness.suite.reading` reads as the same values."""

from __future__ import annotations

import re
from typing import Any

import yaml

from harness.core.yaml_scalars import resolve


class _Dumper(yaml.SafeDumper):
    """PyYAML writes what YAML 1.1 would mistake in quotes; in YAML 1.2 other words are numbers (1e-7)."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        """What stands twice is written twice: case files have no anchors."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Quoted where it is more than a word, so that no text is taken for a number or for syntax."""
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9_./-]*", text) and isinstance(resolve(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, None if plain else '"')


_Dumper.add_representer(str, _text)


def yaml_text(value: Any, width: int = 2**16) -> str:
    """A value of maps, lists, numbers and texts as YAML; lines that could be longer than `width` are broken.

    >>> print(yaml_text([{"id": "edges/a", "title": "1e-7", "dtypes": ["float32"], "values": [1e-07, -0.0]}]), end="")
    - id: edges/a
      title: "1e-7"
      dtypes: [float32]
      values: [1.0e-07, -0.0]
    """
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=None, width=width, sort_keys=False)
