"""Times C++ source beside the object of the same model: one process, in turns, medians and ratios.

    source.py [--rounds N] [--compiler COMPILER ...] [--json FILE] [MODEL ...]

The ratio is the source's speed as a part of the object's: 1.00 is as fast.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

import measure

os.environ.setdefault("KERAS_BACKEND", "jax")
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", HERE.parents[1] / "build"))
FLAGS = ["-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-exceptions", "-shared", "-fPIC"]
BATCHES = (1, 32)


def compile_model(model, name, folder, compilers):
    """The object's library, then those of each compiler, by what they are of."""
    archive = folder / f"{name}.keras"
    model.save(archive)
    import models

    command = [BUILD / "bin/formwork", "compile", archive, "--train", "--name", name]
    for size in BATCHES:
        command += ["--signature", models.signature(model, size)]
    libraries = {"object": folder / f"{name}_object.so"}
    subprocess.run([*command, "--emit=shared", "-o", libraries["object"]], check=True)
    source = folder / f"{name}_source"
    shutil.rmtree(source, ignore_errors=True)
    subprocess.run([*command, "--emit=cpp", "-o", source], check=True)
    for compiler in compilers:
        libraries[compiler] = folder / f"{name}_{compiler}.so"
        files = [*source.glob("*.cpp"), *source.glob("*.S")]
        subprocess.run([compiler, *FLAGS, *files, "-o", libraries[compiler]], cwd=source, check=True)
    return libraries


def check_bits(loaded, x, y):
    """What is timed must compute the same: three steps of training leave the same state."""
    states = {}
    for kind, one in loaded.items():
        for _ in range(3):
            one.train_step(x, y)
        states[kind] = one.state.tobytes()
        one.restore()
    for kind, state in states.items():
        if state != states["object"]:
            sys.exit(f"{kind} does not compute what the object computes")


def compare(calls, rounds):
    """For each but the object: medians of both in milliseconds, and of the ratio of neighbours."""
    samplers = {name: lambda call=call: measure.sample(call) for name, call in calls.items()}
    samples = measure.alternate(samplers, rounds)
    base = samples.pop("object")
    return {
        name: {
            "object_ms": 1e3 * statistics.median(base),
            "source_ms": 1e3 * statistics.median(own),
            "ratio": measure.ratio(base, own),
        }
        for name, own in samples.items()
    }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="*", default=["digits", "mlp", "cnn", "lstm"])
    options.add_argument("--compiler", action="append", dest="compilers")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--json", type=pathlib.Path)
    options = options.parse_args()
    compilers = options.compilers or [c for c in ("clang++-22", "g++") if shutil.which(c)]
    measure.pin(1)

    import models

    sys.path.insert(0, str(HERE.parent / "python"))
    import formwork_model

    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"{'model':8} {'what':10} {'compiler':12} {'object ms':>10} {'source ms':>10} {'speed':>6}")
    for name in options.models:
        model = models.build(name)
        loaded = {
            kind: formwork_model.Model(path, name)
            for kind, path in compile_model(model, name, folder, compilers).items()
        }
        x, y = models.batch(model, 32)
        check_bits(loaded, x, y)
        cases = {"train b32": {kind: one.train_step.prepare(x, y)[0] for kind, one in loaded.items()}}
        for size in BATCHES:
            x, _ = models.batch(model, size)
            cases[f"infer b{size}"] = {kind: one.predict.prepare(x)[0] for kind, one in loaded.items()}
        for what, calls in cases.items():
            for compiler, figures in compare(calls, options.rounds).items():
                rows.append({"model": name, "what": what, "compiler": compiler, **figures})
                print(
                    f"{name:8} {what:10} {compiler:12} {figures['object_ms']:10.4f}"
                    f" {figures['source_ms']:10.4f} {figures['ratio']:6.2f}",
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
