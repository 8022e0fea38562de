"""Names that would do harm if they got anywhere as they are, in everything that Formwork writes."""

import copy
import json
import re
import subprocess
import zipfile

import models
import numpy as np
from running import BUILD, FORMWORK, ROOT

NAMES = [
    "quote \" and \\ and ' and `touch harm` $(touch harm)",
    "line\n#error harm\r\n\t\x0b\x0c",
    "*/ } harm(); /* // ??/",
    "//\\",
    "%s%n%n%p {0} {{",
    "../../harm",
    "слой 层 طبقة שכבה \u202e\u2066",
    "\x1b[31mharm\x07\x7f\x9b",
    "x" * 10_000,
    "é" * 5_000,
    "class",
    "int",
    "0",
    "-o harm",
    "@harm",
    "a\u2028b\u2029c",
]
SETTINGS = ["--optimizer", "adam", "--loss", "mse", "--metrics", "mae"]
C = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-x", "c"]
CPP = [
    "g++",
    "-std=c++17",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Wtrigraphs",
    "-Werror",
    "-fsyntax-only",
    "-x",
    "c++",
]
USE = """#include "%s"
int main(void) { return 0; }
"""


def model():
    """A layer of each name; the first is the input's as well, the last the output's."""
    layers = {
        name: (models.dense(name, units=3, activation="relu"), [before])
        for before, name in zip(["x", *NAMES], NAMES)
    }
    object = models.functional(layers, [NAMES[-1]])
    object["config"]["name"] = NAMES[0]
    return renamed(object, {"x": 'input */ "\n\u202e'})


def renamed(object, to):
    """With the strings that are keys of `to` replaced."""
    if isinstance(object, dict):
        return {key: renamed(value, to) for key, value in object.items()}
    if isinstance(object, list):
        return [renamed(value, to) for value in object]
    return to.get(object, object) if isinstance(object, str) else object


def harmless(text, longest=4_000):
    """Neither control characters nor what is not ASCII, no line that goes on for ever."""
    found = re.search(r"[^\n -~\t]", text)
    if found:
        yield f"holds {text[max(found.start() - 20, 0) : found.end()]!r}"
    if (length := max(len(line) for line in text.split("\n"))) > longest:
        yield f"has a line of {length} characters"
    if re.search(r"^[^\S\n]*#[^\S\n]*error harm", text, re.MULTILINE):
        yield "holds a directive"


def compiles(command, file, folder):
    process = subprocess.run(
        [*command, f"-I{ROOT}", f"-I{folder}", str(file)], capture_output=True, text=True
    )
    if process.returncode:
        yield f"{file.name} does not compile: {process.stderr[:1000]}"


class Names:
    def __init__(self, suite):
        self.suite, self.folder = suite, suite.fresh()
        config = model()
        (self.folder / "model.json").write_text(json.dumps(config))
        self.config = config
        x = np.random.default_rng(1).normal(size=(8, 4)).astype("f4")
        np.savez(self.folder / "data.npz", x=x, y=np.ones((8, 3), "f4"))

    def run(self, *command, folder=None):
        result = self.suite.run(command, folder or self.folder)
        return (
            [] if result.status == 0 else [f"{command[1]} ended with {result.status}: {result.output[:2000]}"]
        ), result.output

    def compile(self, out, *options):
        return self.run(FORMWORK, "compile", "model.json", "-o", out, *options)[0]

    def header(self, name):
        path = self.folder / (name + ".h")
        yield from harmless(path.read_text())
        yield from compiles(C, path, self.folder)
        yield from compiles(CPP, path, self.folder)

    def library(self, kind, file):
        yield from self.compile(file, f"--emit={kind}", "--train", "--name", "lib_" + kind, *SETTINGS)
        yield from self.header("lib_" + kind)
        (self.folder / "use.c").write_text(USE % ("lib_" + kind + ".h"))
        link = subprocess.run(
            ["gcc", "use.c", file, f"-I{ROOT}", "-o", "use", "-lm"],
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        if kind != "shared" and link.returncode:
            yield f"does not link: {link.stderr[:500]}"

    def source(self, kind, *options):
        yield from self.compile(f"source_{kind}", f"--emit={kind}", "--name", "source", *options)
        for path in sorted((self.folder / f"source_{kind}").rglob("*")):
            if path.is_file() and not path.name.startswith("formwork"):
                # The model's own file holds names and configuration as strings, whole.
                longest = 1_000_000 if path.name == "source_model.cpp" else 4_000
                yield from (f"{path.name} {problem}" for problem in harmless(path.read_text(), longest))
            if path.suffix == ".cpp":
                yield from compiles(CPP, path, path.parent)

    def text(self, kind):
        problems, output = self.run(FORMWORK, "compile", "model.json", f"--emit={kind}", "--train", *SETTINGS)
        (self.folder / f"{kind}.mlir").write_text(output)
        yield from problems
        yield from harmless(re.sub(r".{2000,}", "", output))  # a symbol of 10,000 characters is one
        if kind == "fw":
            yield from self.run(BUILD / "bin/formwork-opt", f"{kind}.mlir", "-o", "again.mlir")[0]

    def summary(self, *command):
        problems, output = self.run(*command)
        yield from problems
        yield from harmless(output)

    def program(self):
        """Trains, writes an archive, goes on from it, and gives predictions by name."""
        yield from self.compile("program", "--train", *SETTINGS)
        yield from self.summary("./program", "summary")
        for ending in ".keras", ".safetensors":
            yield from self.summary("./program", "train", "--data", "data.npz", "-o", "trained" + ending)
            yield from self.summary(
                "./program", "evaluate", "--data", "data.npz", "--weights", "trained" + ending
            )
        yield from self.summary("./program", "predict", "--input", "data.npz", "-o", "out.npz")
        if list(np.load(self.folder / "out.npz")) != [NAMES[-1]]:
            yield "the prediction has another name"
        config = json.loads(zipfile.ZipFile(self.folder / "trained.keras").read("config.json"))
        config.pop("compile_config", None)
        if config != self.config:
            yield "the configuration that is written back is another"
        yield from self.summary(FORMWORK, "summary", "trained.keras")


def refused(names):
    """In diagnostics."""
    config = copy.deepcopy(names.config)
    for layer in config["config"]["layers"][1:]:
        layer["config"]["units"] = "many"
    (names.folder / "wrong.json").write_text(json.dumps(config))
    result = names.suite.run([FORMWORK, "summary", "wrong.json"], names.folder)
    yield from harmless(result.output)
    if result.status != 1:
        yield f"exit status {result.status}"


def check(suite):
    names = Names(suite)
    rows = {
        "program": names.program(),
        "obj": names.library("obj", "lib.o"),
        "static": names.library("static", "lib.a"),
        "shared": names.library("shared", "lib.so"),
        "cpp": names.source("cpp", "--train", *SETTINGS),
        "cuda": names.source("cuda", "--target=cuda:sm_90"),
        "fw": names.text("fw"),
        "kernels": names.text("kernels"),
        "summary": names.summary(FORMWORK, "summary", "model.json"),
        "verify": names.summary(FORMWORK, "verify", "model.json"),
        "diagnostics": refused(names),
    }
    for name, problems in rows.items():
        if suite.wanted(f"names: {name}"):
            found = list(problems)
            if any("harm" in path.name for path in suite.folder.rglob("*")):
                found.append("harm was done")
            suite.report(f"names: {name}", found, "")
