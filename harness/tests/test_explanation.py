"""What `xent explain` prints fits a terminal of 80 columns and 40 lines, and leaves no number out."""

from __future__ import annotations

from harness.tests.commands import xent


def test_an_articles_case_fits_a_terminal_and_says_what_to_do_next() -> None:
    asked = ("numpy", "scratch-d0", "scratch-d1", "scratch-d2", "scratch-d3", "scratch-d4", "numpy-by-hand")
    done = xent(
        *("explain", "documents/d4-dog-in-bits", *(word for name in asked for word in ("-i", name))),
        environment={"COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert not [line for line in lines if len(line) > 80 or "…" in line]
    assert "scratch-d4:eager  0.3677317845004871   3 of 3 under base(2)" in lines
    assert "scratch-d1:eager  0.25489224833846746  1 of 3 under add_inside_log(1e-09)" in lines
    assert "numpy:eager       0.25489224962879004  agrees 6" in lines
    assert "not offered by numpy-by-hand, scratch-d0, scratch-d2" in lines
    assert "−s Σ_j w_j q̃_j ln p_j" in " ".join(done.stdout.split())
    assert lines[-1] == "next: `xent explain documents/d4-dog-in-bits --cells` for each cell"


def test_what_could_not_be_found_out_or_is_wrong_says_why_below_its_line() -> None:
    done = xent(
        "explain", "documents/d4-dog-in-bits", "-i", "mutant:log-base-2.categorical_cross_entropy", "-i", "numpy"
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith("mutant:"))
    assert "wrong" in lines[place]
    assert "float64 gradient: " in lines[place + 1]
