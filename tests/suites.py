"""Runs the suites that tests/run has built and adds up what passed and what failed.

A suite is a command with a time limit whose output says how many tests passed and failed. A suite
that ends with an error, or that says nothing of the kind, counts as one failed test: it cannot
pass by not running.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PYTHON = sys.executable
SANITIZED = "cuda_kernel_test"
GOOGLE_PASSED = r"^\[  PASSED  \] (\d+) tests?\."
GOOGLE_FAILED = r"^\[  FAILED  \] (\d+) tests?, listed below"


@dataclasses.dataclass
class Suite:
    name: str
    command: list
    minutes: float
    passed: str = r"^(\d+) passed, \d+ failed$"  # each match adds its number
    failed: str = r"^\d+ passed, (\d+) failed$"


def google_tests():
    for program in sorted((BUILD / "bin/tests").glob("*")):
        if program.is_file() and os.access(program, os.X_OK) and program.name != SANITIZED:
            yield Suite(
                program.name,
                [str(program)],
                minutes=60,  # numeric compiles some hundred files of C++
                passed=GOOGLE_PASSED,
                failed=GOOGLE_FAILED,
            )


def sanitized(program, minutes):
    """What the program compiles itself is compiled with AddressSanitizer, and does not run without:
    numeric_cuda runs the same kinds of kernels so."""
    library = subprocess.run(
        ["g++", "-print-file-name=libasan.so"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    # Fibers have stacks that the sanitizer does not know of.
    options = "detect_leaks=0:detect_stack_use_after_return=0"
    environment = ["FORMWORK_CUDA_SANITIZE=1", f"LD_PRELOAD={library}", f"ASAN_OPTIONS={options}"]
    return Suite(
        f"{program}, sanitized",
        ["env", *environment, str(BUILD / "bin/tests" / program)],
        minutes,
        passed=GOOGLE_PASSED,
        failed=GOOGLE_FAILED,
    )


def script(path, minutes, *arguments):
    return Suite(path, [PYTHON, str(ROOT / "tests" / path), *arguments], minutes)


def suites():
    yield Suite(
        "lit",
        ["/usr/lib/llvm-22/bin/lit", "--no-progress-bar", str(BUILD / "tests")],
        minutes=15,
        passed=r"^ +(?:Expectedly )?Passed *: +(\d+)",
        failed=r"^ +(?:Failed|Timed Out|Unresolved) *: +(\d+)",
    )
    yield from google_tests()
    yield sanitized(SANITIZED, 30)
    yield script("cuda/models.py", 20)
    yield script("differential/activations.py", 10)
    yield script("differential/initializers.py", 10)
    yield script("differential/any_size.py", 10)
    yield script("differential/applications.py", 40)
    yield script("training/proof.py", 20)
    yield script("training/weighted.py", 20)
    yield script("training/settings.py", 20)
    yield script("cuda/run.py", 20)
    yield script("bench/smoke.py", 20)
    yield script("embedding/run.py", 15)
    yield script("frontend/legacy.py", 10)
    yield script("frontend/keras2.py", 10)
    yield script("fuzz/run.py", 30)  # what it runs is compiled first
    yield script("hostile/run.py", 10)
    yield script("examples.py", 15)
    yield script("structure.py", 10)


def random_models():
    """400, or as many as there is time for: what is left of a run's 66 minutes, but three at least."""
    began = float(os.environ.get("FORMWORK_TESTS_BEGAN", time.time()))
    minutes = max(3, 66 - (time.time() - began) / 60)
    return script("differential/run.py", minutes + 10, "--minutes", f"{minutes:.1f}")


def run(suite):
    start = time.monotonic()
    environment = dict(
        os.environ,
        FORMWORK_BUILD=str(BUILD),
        FORMWORK_PYTHON=PYTHON,
        FORMWORK_CACHE=str(BUILD / "cache"),
        VIRTUAL_ENV=str(BUILD / "venv"),  # where NVRTC is looked for
        TF_CPP_MIN_LOG_LEVEL="3",
    )
    try:
        process = subprocess.run(
            suite.command,
            cwd=BUILD,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=suite.minutes * 60,
        )
        output, status = process.stdout, process.returncode
    except subprocess.TimeoutExpired as expired:
        output = (expired.stdout or b"").decode(errors="replace")
        output += f"\nstopped after {suite.minutes} minutes\n"
        status = -1
    return output, status, time.monotonic() - start


def count(pattern, output):
    return sum(int(number) for number in re.findall(pattern, output, re.MULTILINE))


def report(suite, output, status, seconds):
    passed, failed = count(suite.passed, output), count(suite.failed, output)
    if failed == 0 and (status != 0 or passed == 0):
        failed = 1
    if failed:
        print(output[-20000:], flush=True)
    print(f"{suite.name:32} {passed:5} passed {failed:5} failed {seconds:7.1f} s", flush=True)
    return passed, failed


def run_all(suites, words, at_once):
    """How many tests passed and failed, of the suites whose names contain one of the words."""
    chosen = [s for s in suites if not words or any(word in s.name for word in words)]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        for suite, (output, status, seconds) in zip(chosen, pool.map(run, chosen)):
            suite_passed, suite_failed = report(suite, output, status, seconds)
            passed, failed = passed + suite_passed, failed + suite_failed
    return passed, failed


def main(words):
    # Two at a time: most suites leave a core idle for much of their time. Then what takes both cores
    # for as long as it is given.
    first = run_all(suites(), words, at_once=2)
    last = run_all([random_models()], words, at_once=1)
    passed, failed = first[0] + last[0], first[1] + last[1]
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
