"""Compiled JAX programs, kept between runs: where a program is known, nothing is traced, lowered or compiled.

JAX's own persistent cache finds a program by its lowered text, so that Python traces and lowers it every time: 20 ms
for a loss and its gradient, of which loading the machine code is 3. Here a program is found by what is known before
tracing: the call, the shapes and dtypes of its arrays, the settings, and every Python source it could be traced from.
The program that runs is the one `jax.jit` compiled from those sources.

    <folder>/<digest of sources, versions and settings>/<digest of the call>

Imports the standard library, NumPy and JAX only.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pickle
import platform
import shutil
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jaxlib
import numpy as np
from jax.experimental import serialize_executable

FOLDER = "XENT_JAX_PROGRAMS"
"""The variable that names the folder; without it nothing is kept."""

UNUSED_DAYS = 30
"""After which the programs of sources nobody runs any more are removed: a month between two runs of one version."""

DIGEST = hashlib.sha256().digest_size

Program = Callable[..., Any]


class Programs:
    """Compiled programs of the sources and settings of this process; the folder may be shared by any number."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, sources: Sequence[str], settings: Mapping[str, str], environment: Mapping[str, str]) -> Programs | None:
        """Where `environment` names a folder: the programs traced from `sources`, packages or modules, under
        `settings`."""
        if FOLDER not in environment:
            return None
        shared = Path(environment[FOLDER])
        ours = cls(shared / fingerprint(sources, settings, environment))
        with contextlib.suppress(OSError):
            ours._folder.mkdir(parents=True, exist_ok=True)
            os.utime(ours._folder)
            _remove_unused(shared)
        return ours

    def compiled(self, signature: str, function: Program, arguments: Sequence[Any]) -> Program:
        """`jax.jit(function)` compiled for the `arguments`, from the folder where it is there.

        `signature` tells one function from another, and the `shapes` of the arguments. Whatever tracing and compiling
        raise is raised; what goes wrong with the folder only costs the time of compiling again.
        """
        path = self._folder / hashlib.sha256(signature.encode()).hexdigest()
        known = _read(path)
        if known is not None:
            return known
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with _out_of_the_cache_of_jax():
                program = jax.jit(function).lower(*arguments).compile()
        for warning in caught:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if not caught:  # a program from the folder could not warn again
            _write(path, program, arguments)
        return program


def fingerprint(sources: Sequence[str], settings: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """A digest of everything a program is made from besides the call.

    Sources count by their contents, so that a new environment with the same versions finds what another one left, and
    a developer's change is seen. The compiler itself counts by its version, as it does in JAX's own cache.
    """
    digest = hashlib.sha256()
    for name in sources:
        for path in _files(name):
            content = path.read_bytes()
            digest.update(f"{name} {path.name} {len(content)}\n".encode())
            digest.update(content)
    deciding = {n: v for n, v in environment.items() if n.startswith(("JAX_", "XLA_", "KERAS_")) and n not in _PLACES}
    backend = jax.devices()[0].client
    versions = (platform.python_version(), np.__version__, jax.__version__, jaxlib.__version__)
    digest.update(repr((versions, backend.platform, backend.platform_version)).encode())
    digest.update(repr((sorted(settings.items()), sorted(deciding.items()), sys.flags.optimize)).encode())
    return digest.hexdigest()[:32]


_PLACES = frozenset({"JAX_COMPILATION_CACHE_DIR"})
"""Variables that say where something is kept, and nothing about numbers."""


def _files(name: str) -> list[Path]:
    """The Python sources of a package, or of a module."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        raise ModuleNotFoundError(f"no module named {name}", name=name)
    if spec.submodule_search_locations is not None:
        return sorted(path for place in spec.submodule_search_locations for path in Path(place).rglob("*.py"))
    return [] if spec.origin is None else [Path(spec.origin)]


def _remove_unused(shared: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 86400
    for folder in shared.iterdir():
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def shapes(arguments: Sequence[Any]) -> str:
    """Everything `jax.jit` tells arguments apart by."""
    leaves, tree = jax.tree_util.tree_flatten(tuple(arguments))
    return f"{tree} {[(leaf.shape, leaf.dtype.name, leaf.weak_type) for leaf in leaves]}"


@contextlib.contextmanager
def _out_of_the_cache_of_jax() -> Iterator[None]:
    """Programs kept here need not be kept there too; and what JAX has loaded from its cache cannot be saved again."""
    least = "jax_persistent_cache_min_compile_time_secs"
    before = getattr(jax.config, least)
    jax.config.update(least, float("inf"))
    try:
        yield
    finally:
        jax.config.update(least, before)


def _read(path: Path) -> Program | None:
    """The program, if it is there, whole, and can be loaded."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    digest, content = stored[:DIGEST], stored[DIGEST:]
    if hashlib.sha256(content).digest() != digest:
        return None
    try:
        # Machine code under the user's own cache folder, trusted as JAX trusts its own cache beside it.
        return serialize_executable.deserialize_and_load(*pickle.loads(zlib.decompress(content)))
    except Exception:  # whatever stands in the way of loading: it is compiled again
        return None


def _write(path: Path, program: Any, arguments: Sequence[Any]) -> None:
    """Keep the program, once what would be loaded has given the same bits."""
    beginning = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        serialized = pickle.dumps(serialize_executable.serialize(program))
        again = serialize_executable.deserialize_and_load(*pickle.loads(serialized))
        if not _same_bits(program(*arguments), again(*arguments)):
            return
        content = zlib.compress(serialized, level=1)  # a third of the size for a tenth of a millisecond when it is read
        beginning.write_bytes(hashlib.sha256(content).digest() + content)
        beginning.replace(path)
    except Exception:  # some versions cannot save programs that hold constants, and disks are full: then it is not kept
        with contextlib.suppress(OSError):
            beginning.unlink(missing_ok=True)


def _same_bits(first: Any, second: Any) -> bool:
    ours, theirs = jax.tree_util.tree_leaves(first), jax.tree_util.tree_leaves(second)
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and a.shape == b.shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(ours, theirs, strict=True)
    )
