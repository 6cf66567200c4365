"""Parts on a Dask cluster of this machine: whatever of it is ended, nothing is lost and nothing is there twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import InfrastructureError
from harness.runs.executors import dask_cluster
from harness.runs.executors.dask_cluster import OnDask
from harness.runs.executors.identity import identity
from harness.runs.service import execute_order
from harness.runs.spreading import RunPart, part_of, spread
from harness.tests.miniatures import UNLUCKY
from harness.tests.pools import miniature
from harness.tests.test_spreading import bare, order

pytestmark = pytest.mark.slow


def test_a_cluster_has_the_records_of_a_local_run_and_ending_its_workers_changes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = tmp_path / "ended"
    monkeypatch.setenv("XENT_TESTS_ENDED", str(ended))
    once = miniature("EndsWhoAskedOnce")
    asked = order(["numpy", once], (*range(20, 40), UNLUCKY))
    with OnDask(None, 2) as cluster:
        run = spread(asked, cluster)
    assert ended.exists(), "a worker was ended"
    assert bare(run) == bare(execute_order(asked))
    assert run.header.suite == execute_order(asked).header.suite


def test_what_ends_three_workers_is_crashed_and_no_more_than_that() -> None:
    asked = order([miniature("EndsWhoAsked")], (20, UNLUCKY))
    with OnDask(None, 2) as cluster:
        run = spread(asked, cluster)
    (lost,) = [cell for cell in run.cells if cell.verdict == "crashed"]
    assert lost.case == f"tests/logit-{UNLUCKY:g}"
    assert lost.outcome["signal"] == "ended 3 workers of the cluster"
    assert {cell.case for cell in run.cells} == {case.id for case in asked.cases}


def test_a_cluster_with_another_program_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = order(["numpy"], (20,))
    with OnDask(None, 1) as cluster:
        other = {**identity(), "xent with sources": "0123456789abcdef"}
        monkeypatch.setattr(dask_cluster, "identity", lambda: other)
        with pytest.raises(InfrastructureError, match="install one version on both sides"):
            cluster.submit(RunPart(part_of(asked, "numpy", asked.cases))).result()


def test_a_scheduler_that_is_not_there_is_said_to_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "PATIENCE", 1.0)
    with pytest.raises(InfrastructureError, match=r"no Dask cluster at tcp://127\.0\.0\.1:9"):
        OnDask("tcp://127.0.0.1:9", 1)
