"""The suite: YAML case files become `Case` values (of `harness.core.case`).

This package imports nothing by itself, because workers read `harness.suite.generators` in environments that hold a
framework and NumPy only. Import what you need from its modules:

    generators  ArraySpec -> Array (also inside workers)
    loading     load(paths) -> Suite, find_cases_directory()
    selection   select(cases, patterns)
    linting     lint(cases) -> problems
    schema      schema(), the JSON schema for editors
    checks      the closed list of checks a claim may name
"""
