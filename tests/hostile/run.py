"""Hands hostile files to `formwork` and to a program that it made, and looks at what they do.

Each must say what is wrong and where, end with exit status 1, take no more memory than 64 MiB and
four times the file beyond a run with nothing to do, open no file that was not named, and leave
nothing behind; where writing fails, the old file is what it was.

usage: run.py [WORD...]   only the cases whose names contain a word
"""

import pathlib
import re
import sys
import tempfile

import data
import models
import names
import numpy as np
from running import FORMWORK, Runner, problems

SETTINGS = ["--optimizer", "adam", "--loss", "sparse_categorical_crossentropy"]


class Suite:
    def __init__(self, words, folder):
        self.words, self.folder = words, folder
        self.run = Runner(folder)
        self.passed = self.failed = self.count = 0
        self.baseline = {}

    def fresh(self):
        """A folder for a case, in which lies what must not be opened."""
        self.count += 1
        folder = self.folder / f"case{self.count}"
        folder.mkdir()
        (folder / models.SECRET).write_bytes(bytes(48))
        return folder

    def memory(self, program, command):
        """What the program takes with nothing to do."""
        if program not in self.baseline:
            self.baseline[program] = self.run([program, *command], self.fresh()).memory
        return self.baseline[program]

    def wanted(self, name):
        return not self.words or any(word in name for word in self.words)

    def report(self, name, found, output):
        found = list(found)
        self.passed, self.failed = self.passed + (not found), self.failed + bool(found)
        if found:
            print(f"{name}: {'; '.join(found)}\n{output[:2000]}\n", flush=True)

    def refuse(self, group, case, file, program, arguments, idle):
        """`program` run with `arguments` must refuse the case's file, called `file`."""
        name = f"{group}: {case.name}"
        if not self.wanted(name):
            return
        folder = self.fresh()
        bytes = case.make(folder)
        (folder / file).write_bytes(bytes)
        result = self.run([program, *arguments], folder)
        found = problems(case, result, file, len(bytes), self.memory(program, idle), [models.SECRET])
        self.report(name, found, result.output)


def refused_models(suite):
    for case in models.CASES:
        file = "model" + case.ending
        arguments = ["compile", file, "-o", "out.o", "--emit=obj", "--train", *SETTINGS]
        suite.refuse(
            "model", case, file, FORMWORK, arguments, ["compile", "absent.json", "-o", "x.o", "--emit=obj"]
        )


def refused_files(suite, program):
    idle = ["evaluate", "--data", "absent.npz"]
    for case in data.DATA:
        file = "data" + (case.ending if case.ending == ".csv" else ".npz")
        suite.refuse("data", case, file, program, ["train", "--data", file, "-o", "new.safetensors"], idle)
    good = suite.folder / "good.npz"
    for case in data.CHECKPOINTS:
        file = "weights" + case.ending
        suite.refuse(
            "checkpoint",
            case,
            file,
            program,
            ["train", "--data", good, "--weights", file, "-o", "new.safetensors"],
            idle,
        )


def full_disk(suite, program):
    """Writing fails half-way: the old file stays, and no other."""
    good, model = suite.folder / "good.npz", suite.folder / "model.json"
    train = [program, "train", "--data", good, "--epochs", "1", "--quiet", "-o"]
    rows = [
        ("checkpoint.safetensors", train, 600),
        ("checkpoint.keras", train, 4000),
        ("predictions.npz", [program, "predict", "--input", good, "--quiet", "-o"], 200),
        ("predictions.npy", [program, "predict", "--input", good, "--quiet", "-o"], 100),
        ("program.o", [FORMWORK, "compile", model, "--emit=obj", "-o"], 500),
        ("program.a", [FORMWORK, "compile", model, "--emit=static", "-o"], 500),
        ("program", [FORMWORK, "compile", model, "-o"], 500),
        ("module.mlir", [FORMWORK, "compile", model, "--emit=fw", "-o"], 50),
    ]
    for file, command, largest in rows:
        if not suite.wanted(name := f"full disk: {file}"):
            continue
        folder = suite.fresh()
        (folder / file).write_bytes(b"old")
        result = suite.run([*command, file], folder, largest)
        found = []
        if result.status != 1:
            found.append(f"exit status {result.status} instead of 1")
        # What is linked is written elsewhere first.
        if not re.search(r"(formwork-\w+|" + re.escape(file) + r")[^:]*: .*File too large", result.output):
            found.append("does not say which file is too large")
        if (folder / file).read_bytes() != b"old":
            found.append("the old file is gone")
        if result.left:
            found.append(f"left {result.left} behind")
        suite.report(name, found, result.output)


def unwritable(suite, program):
    """Told before anything is compiled or trained."""
    good, model = suite.folder / "good.npz", suite.folder / "model.json"
    for place, says in ("absent/new", "No such file"), ("folder", "folder"), ("file/new", "Not a directory"):
        rows = [
            ("program's train", [program, "train", "--data", good, "--epochs", "9", "-o", place + ".keras"]),
            ("formwork train", [FORMWORK, "train", model, *SETTINGS, "--data", good, "-o", place + ".keras"]),
            ("formwork predict", [FORMWORK, "predict", model, "--input", good, "-o", place + ".npz"]),
            ("formwork compile", [FORMWORK, "compile", model, "-o", place + ".o", "--emit=obj"]),
        ]
        for who, command in rows:
            if not suite.wanted(name := f"unwritable: {who} to {place}"):
                continue
            folder = suite.fresh()
            for ending in ".keras", ".npz", ".o":
                (folder / f"folder{ending}").mkdir()
            (folder / "file").write_text("")
            result = suite.run(command, folder)
            found = [] if result.status == 1 else [f"exit status {result.status}"]
            if says not in result.output or place not in result.output:
                found.append("does not say what is wrong")
            if "Epoch" in result.output or any(
                "libMLIR" not in p and p.endswith("model.json") for p in result.opened
            ):
                found.append("began the work before")
            if result.left:
                found.append(f"left {result.left} behind")
            suite.report(name, found, result.output)


def absent_data(suite):
    if not suite.wanted(name := "absent data: told before compiling"):
        return
    folder = suite.fresh()
    command = [
        FORMWORK,
        "train",
        suite.folder / "model.json",
        *SETTINGS,
        "--data",
        "gone.npz",
        "--validation-data",
        "lost.npz",
    ]
    result = suite.run(command, folder)
    said = all(f"{file}: cannot be opened" in result.output for file in ("gone.npz", "lost.npz"))
    cached = list((suite.folder / "cache").rglob("model"))
    suite.report(
        name,
        [] if said and result.status == 1 and not cached else ["was not told, or too late"],
        result.output,
    )


def indices(suite):
    """An Embedding's indices are looked at before the step, whichever function takes them."""
    folder = suite.fresh()
    embedding = models.layer("Embedding", "e", input_dim=5, output_dim=2)
    model = models.sequential(embedding, models.layer("Flatten", "f"), models.dense(), inputs=3)
    model["config"]["layers"][0]["config"]["dtype"] = "int32"
    (folder / "model.json").write_bytes(models.model(model)(folder))
    made = suite.run(
        [
            FORMWORK,
            "compile",
            "model.json",
            "-o",
            "program",
            "--train",
            "--optimizer",
            "sgd",
            "--loss",
            "mse",
        ],
        folder,
    )
    for value in 5, -1, 2.5:
        x = np.ones((8, 3))
        x[6, 2] = value
        np.savez(folder / "data.npz", x=x, y=np.zeros((8, 4)))
        for command in ["train", "-o", "new.safetensors"], ["evaluate"], ["predict", "-o", "new.npz"]:
            if not suite.wanted(name := f"index {value}: {command[0]}"):
                continue
            result = suite.run(["./program", *command, "--data", "data.npz"], folder)
            said = f"'x', row 6, element [6,2]: the value is {value}, " in result.output
            suite.report(
                name,
                [] if result.status == 1 and said and not result.left else ["is not refused"],
                made.output + result.output,
            )


def last_good(suite, program):
    """A loss that is no number leaves the old checkpoint alone."""
    if not suite.wanted(name := "NaN loss: the old checkpoint stays"):
        return
    folder = suite.fresh()
    (folder / "data.npz").write_bytes(data.number(float("nan"))(folder))
    (folder / "old.keras").write_bytes(b"old")
    result = suite.run([program, "train", "--data", "data.npz", "-o", "old.keras"], folder)
    kept = (folder / "old.keras").read_bytes() == b"old" and not result.left
    suite.report(name, [] if result.status == 1 and kept else ["the old checkpoint is gone"], result.output)


def main(words):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        suite = Suite(words, folder)
        (folder / "good.npz").write_bytes(data.npz())
        (folder / "model.json").write_bytes(
            models.model(models.sequential(models.dense(activation="softmax")))(folder)
        )
        program = folder / "program"
        made = suite.run(
            [FORMWORK, "compile", folder / "model.json", "-o", program, "--train", *SETTINGS], folder
        )
        if made.status:
            print(made.output)
        refused_models(suite)
        refused_files(suite, program)
        full_disk(suite, program)
        unwritable(suite, program)
        absent_data(suite)
        indices(suite)
        last_good(suite, program)
        names.check(suite)
        print(f"{suite.passed} passed, {suite.failed} failed")
        return 1 if suite.failed or not suite.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
