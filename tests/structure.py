"""The structure of the sources: who may include whom, and that every header stands alone.

A room knows only the rooms below it, as the drawing in README.md has it.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))

# Which rooms the files of a room may include, beside its own.
MAY_INCLUDE = {
    "ir": set(),
    "frontend": {"ir"},
    "passes": {"ir"},
    "codegen": {"ir"},
    "runtime": set(),
    "tools": {"ir", "frontend", "passes", "codegen", "runtime"},
}
# The interface of produced code, which those who produce it know too.
SHARED = {"runtime/formwork.h"}
# What a room of produced code's own must not depend on.
FORBIDDEN = {"runtime": ("mlir/", "llvm/")}

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.MULTILINE)


def sources(room):
    for path in sorted((ROOT / room).rglob("*")):
        if path.suffix in {".h", ".cpp", ".c", ".td", ".inc"}:
            yield path


def wrong_includes():
    for room, allowed in MAY_INCLUDE.items():
        for path in sources(room):
            for name in INCLUDE.findall(path.read_text()):
                other = name.split("/")[0]
                if other in MAY_INCLUDE and other != room and other not in allowed and name not in SHARED:
                    yield f"{path.relative_to(ROOT)} includes {name}: {room} must not know {other}"
                if name.startswith(FORBIDDEN.get(room, ())):
                    yield f"{path.relative_to(ROOT)} includes {name}"


def compile_flags(room):
    """The flags of some source of the room, without its precompiled header."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        if pathlib.Path(entry["file"]).is_relative_to(ROOT / room) and entry["file"].endswith("cpp"):
            words = shlex.split(entry["command"])
            return [w for w in words if re.match(r"-(I|D|std=|f(?!pch)|W(?!invalid-pch))", w)] + [
                part
                for i, word in enumerate(words)
                if word == "-isystem"
                for part in (word, words[i + 1])
            ]
    return None


def header_alone(header, flags):
    process = subprocess.run(
        ["g++", *flags, "-fsyntax-only", "-x", "c++", str(header)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    lines = [line for line in process.stderr.splitlines() if "#pragma once in main file" not in line]
    return process.returncode, "\n".join(lines)


def headers_that_do_not_stand_alone():
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for room in MAY_INCLUDE:
            flags = compile_flags(room)
            for header in sources(room):
                if header.suffix == ".h" and flags is not None:
                    jobs.append((header, pool.submit(header_alone, header, flags)))
    for header, job in jobs:
        status, errors = job.result()
        yield header.relative_to(ROOT), errors if status else None


def main(words):
    """`includes` leaves out the headers, which take minutes."""
    passed = failed = 0
    problems = list(wrong_includes())
    for problem in problems:
        print(problem)
    passed, failed = (0, len(problems)) if problems else (1, 0)
    for header, errors in [] if "includes" in words else headers_that_do_not_stand_alone():
        if errors:
            print(f"{header} does not compile alone:\n{errors}")
        passed, failed = passed + (errors is None), failed + (errors is not None)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
