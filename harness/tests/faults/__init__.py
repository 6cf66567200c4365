"""A campaign of injected faults: what is handed to the commands is wrong on purpose, and what they promised is checked.

Run it, or run it against another checkout, which is copied and never written to:

    python -m harness.tests.faults --seed 2
    python -m harness.tests.faults --seed 2 --source ../older-checkout --kind text.run

How it works: the source is copied into a folder of its own with a few small cases beside it (`installation.py`), and a
process imports it and forks for every fault (`server.py`), so that each has a process, a folder and two streams of its
own at the price of a function call. Of every fault the outcome is looked at and nothing inside: the exit code is one of
those promised, there is no traceback, nothing in the output steers a terminal or a CI log, files that had to stand do,
and where something is refused a message says so (`fault.py`).

A kind of fault is a function that draws one with a random generator, so that every seed asks other questions; examples
are no kind. To add one, write

    def draw(chance: Random, sample: Sample) -> Fault: ...

    KINDS = (Kind("run files: counts", draw, share=3),)

in a file of its own here and name the file's KINDS in `kinds.py`. A `Fault` says what is done, with which arguments and
files, what was promised and where (the words have to stand in that document: a test looks), and which exit codes keep
the promise. `checks` are functions of `Ended` that return what is wrong, or None.

This package imports nothing else of the project: it is run against other versions of it.
"""
