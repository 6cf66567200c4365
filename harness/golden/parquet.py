"""The table as Parquet: the records of the JSON lines as columns, bits as integers, the header in the metadata.

Options are JSON in a text, since each loss has others. The digest is that of the same rows as JSON lines.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.errors import UsageError

KEY = b"xent"
"""Of the header in the metadata of the file."""


def parquet(records: Sequence[Mapping[str, Any]], header: Mapping[str, Any]) -> bytes:
    """The content of the file. UsageError where pyarrow is not there to write it."""
    try:
        import pyarrow as pa
        from pyarrow.parquet import write_table
    except ImportError as error:
        raise UsageError(
            "Parquet is written by pyarrow: install the extra `golden` of xent, or name a .jsonl file"
        ) from error

    def numbers(name: str) -> Any:
        return pa.field(name, pa.list_(pa.float64()))

    shape = pa.field("shape", pa.list_(pa.int64()))
    array = pa.struct([("name", pa.string()), ("dtype", pa.string()), shape, ("bits", pa.list_(pa.uint64()))])
    result = pa.struct([("of", pa.string()), shape, *map(numbers, ("hi", "lo", "tolerance"))])
    texts = [(name, pa.string()) for name in ("case", "loss", "dtype", "options")]
    schema = pa.schema([*texts, ("arrays", pa.list_(array)), ("results", pa.list_(result))])
    rows = [{**record, "options": json.dumps(record["options"])} for record in records]
    table = pa.Table.from_pylist(rows, schema.with_metadata({KEY: json.dumps(header)}))
    written = io.BytesIO()
    write_table(table, written)
    return written.getvalue()
