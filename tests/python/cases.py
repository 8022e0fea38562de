"""Runs titled checks of a script, each in a folder of its own, as tests/suites.py counts them."""

import pathlib
import tempfile
import traceback


class Failure(Exception):
    """What a check has found, in words that need no traceback."""


def run_cases(cases, words):
    """Those of {title: (check, *arguments)} whose title has one of the words; the exit status."""
    passed = failed = 0
    for title, (check, *arguments) in cases.items():
        if words and not any(word in title for word in words):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(pathlib.Path(folder), *arguments)
                passed += 1
            except Exception as failure:
                failed += 1
                reason = str(failure) if isinstance(failure, Failure) else traceback.format_exc(limit=6)
                print(f"FAILED {title}: {reason}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
