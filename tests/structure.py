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
import tempfile

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
# The interface of produced code, which those who produce it know too; and what guards both sides
# against hostile archives.
SHARED = {
    "runtime/formwork.h",
    "runtime/cuda/interface.h",
    "runtime/data/MemberName.h",
    "runtime/keras_io/Isolated.h",
}
# What a room of produced code's own must not depend on.
FORBIDDEN = {"runtime": ("mlir/", "llvm/")}

# What takes most of the time to read is read once, for all headers that include it.
HEAVY = [
    "ir/Dialect.h",
    "codegen/kernel/Writer.h",
    "mlir/Dialect/Func/IR/FuncOps.h",
    "mlir/IR/ImplicitLocOpBuilder.h",
    "mlir/IR/BuiltinOps.h",
]

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


def compile_commands():
    """Per room, how one of its sources is compiled: the compiler and where it finds headers."""
    commands = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        path, words = pathlib.Path(entry["file"]), shlex.split(entry["command"])
        room = path.relative_to(ROOT).parts[0] if path.is_relative_to(ROOT) else None
        if room not in MAY_INCLUDE or path.suffix != ".cpp" or room in commands:
            continue
        command = [next(word for word in words if re.search(r"\+\+[-.\d]*$", word))]
        for word, following in zip(words, words[1:]):
            if word == "-isystem":
                command += [word, following]
            elif re.match(r"-(I|D|std=)", word):
                command.append(word)
        if "clang" in command[0]:
            # Two thirds of the time; whatever names a header uses outside of bodies, it must bring.
            command += ["-Xclang", "-skip-function-bodies"]
        commands[room] = command
    return commands


def compile_include(command, header):
    """The compiler's errors about a file that only includes the header."""
    process = subprocess.run(
        [*command, "-"], input=f'#include "{header}"\n', capture_output=True, text=True, timeout=240
    )
    return process.stderr if process.returncode else None


def includes_of(path, found):
    """What the file includes, through headers of ours as well."""
    for name in INCLUDE.findall(path.read_text()):
        if name not in found:
            found.add(name)
            if (ROOT / name).is_file():
                includes_of(ROOT / name, found)
    return found


def precompiled(header, folder):
    """How to tell the compiler that a heavy header, which this one includes itself, has been read."""
    included = includes_of(header, set())
    for name in HEAVY:
        file = precompiled_file(name, folder)
        if name in included and file.exists():
            return ["-include-pch", str(file)]
    return []


def precompiled_file(name, folder):
    return pathlib.Path(folder) / name.replace("/", "-")


def header_alone(header, command, folder):
    return compile_include([*command, *precompiled(header, folder), "-fsyntax-only", "-x", "c++"], header)


def headers_that_may_not_stand_alone():
    """All but those that another file, itself compiled without anything before it, includes first."""
    headers = {path for room in MAY_INCLUDE for path in sources(room) if path.suffix == ".h"}
    # Sources of the runtime have no precompiled header before them.
    openers = headers | {path for path in sources("runtime") if path.suffix == ".cpp"}
    proven = {ROOT / names[0] for path in openers if (names := INCLUDE.findall(path.read_text()))}
    return sorted(headers - proven)


def precompile(name, command, folder):
    file = precompiled_file(name, folder)
    return compile_include([*command, "-x", "c++-header", "-o", str(file)], name)


def headers_alone():
    commands = compile_commands()
    headers = headers_that_may_not_stand_alone()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        if "clang" in commands["ir"][0]:
            # Where one does not compile, the headers that include it say so.
            list(pool.map(lambda name: precompile(name, commands["ir"], folder), HEAVY))
        results = pool.map(
            lambda path: header_alone(path, commands[path.relative_to(ROOT).parts[0]], folder), headers
        )
        for header, errors in zip(headers, results):
            yield header.relative_to(ROOT), errors


def main():
    problems = list(wrong_includes())
    for problem in problems:
        print(problem)
    passed, failed = (0, len(problems)) if problems else (1, 0)
    for header, errors in headers_alone():
        if errors:
            print(f"{header} does not compile alone:\n{errors}")
        passed, failed = passed + (errors is None), failed + (errors is not None)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
