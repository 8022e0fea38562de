"""Compiles a specification with Formwork and compares every number with Keras's.

In float64 predictions agree within 1e-9 and, after 20 training steps, each variable within 1e-7 of
its norm. In float32 the error against float64 Keras is at most twice that of float32 Keras, plus
what a sum in another order may differ by. Where float32 needs more, Keras's own error is the largest of
four runs of it; float64 has no such allowance.
"""

import os
import pathlib
import subprocess
import sys
import zipfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests/python"))

import formwork_model
import reference

STEPS = 20
TYPES = {"float32": "f32", "float64": "f64"}


class Mismatch(Exception):
    pass


def signature(spec, floatx):
    """The inputs at the specification's batch size; other sizes go through the `?` function."""
    parts = []
    for k, spec_input in enumerate(spec["inputs"]):
        dtype = {"int32": "i32"}.get(reference.input_dtype(spec_input, floatx), TYPES[floatx])
        parts.append(f"in{k}:{dtype}[{','.join(map(str, [spec['batch'], *spec_input['shape']]))}]")
    return " ".join(parts)


def compile_with_formwork(spec, model, floatx, folder):
    archive, library = folder / f"{floatx}.keras", folder / f"{floatx}.so"
    library.unlink(missing_ok=True)
    model.save(archive)
    command = [
        BUILD / "bin/formwork", "compile", archive, "-o", library, "--emit=shared", "--train",
        "--name", "m", "--signature", signature(spec, floatx),
    ]  # fmt: skip
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if process.returncode:
        raise Mismatch(f"formwork compile fails with {process.returncode}: {process.stderr[-3000:]}")
    return formwork_model.Model(library, "m")


def variables_of(model, folder):
    """Every variable of the model and its optimizer, by its place in the archive."""
    path = folder / "trained.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        (folder / "trained.h5").write_bytes(archive.read("model.weights.h5"))
    variables = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            variables[name] = item[()]

    with h5py.File(folder / "trained.h5") as file:
        file.visititems(visit)
    return variables


def run_formwork(spec, compiled, inputs, batches):
    predictions = list(compiled.predict(*inputs).values())
    if "rng" in compiled.variables:
        compiled.variable("rng")[:] = 0
    compiled.reset_metrics()
    for step, (x, y) in enumerate(batches):
        if step == len(batches) - 1:
            compiled.reset_metrics()  # train_on_batch's logs are of one batch
        compiled.train_step(*x, *y)
    variables = {
        info.path.decode(): np.array(compiled.variable(name))
        for name, info in compiled.variables.items()
        if info.path
    }
    return {"predictions": predictions, "variables": variables, "logs": compiled.metric_values()}


def error(ours, theirs):
    """The distance in proportion to the norm; a norm below 1e-2 is taken as that."""
    difference = np.linalg.norm((np.asarray(ours, np.float64) - theirs).ravel())
    return difference / max(np.linalg.norm(np.asarray(theirs, np.float64).ravel()), 1e-2)


def check(what, value, limit):
    if not value <= limit:  # a NaN is no agreement
        raise Mismatch(f"{what}: error {value:.2e}, allowed {limit:.2e}")


def pairs(ours, theirs):
    """Everything that both sides computed: (what, ours, theirs)."""
    for k, (a, b) in enumerate(zip(ours["predictions"], theirs["predictions"], strict=True)):
        yield f"prediction {k}", a, b
    missing = set(theirs["variables"]) - set(ours["variables"])
    if missing:
        raise Mismatch(f"variables that Formwork lacks: {sorted(missing)}")
    for path, value in theirs["variables"].items():
        yield path, ours["variables"][path], value
    for name, value in theirs["logs"].items():
        if name not in ours["logs"]:
            raise Mismatch(f"metric {name} is missing from {sorted(ours['logs'])}")
        yield f"metric {name}", ours["logs"][name], value


def run_keras(model, floatx, inputs, batches, folder, nudge=None):
    result = reference.run(model, floatx, inputs, batches, nudge)
    return {**result, "variables": variables_of(model, folder)}


def own_errors(spec, inputs, batches, exact, folder):
    """The errors of float32 Keras when the last bits of inputs and weights fall otherwise, before
    the predictions and before every step. Three draws; the largest error of each result.

    One run of Keras is one draw of its roundings. Where they decide what is learned (the gradient
    of a bias before a normalization is all rounding, and Adam makes steps of it) another
    implementation's are another draw, and may well be larger.
    """
    largest = {}
    for draw in range(3):
        nudge = np.random.default_rng([spec["seed"], 2, draw]), 2.0**-23
        result = run_keras(reference.build(spec, "float32"), "float32", inputs, batches, folder, nudge)
        for what, a, b in pairs(result, exact):
            largest[what] = max(largest.get(what, 0), error(a, b))
    return largest


def compare(spec, folder):
    """Raises Mismatch where Formwork and Keras differ."""
    results, ours = {}, {}
    for floatx in ("float64", "float32"):
        model = reference.build(spec, floatx)
        inputs, batches = reference.draw_batches(spec, model, STEPS)
        compiled = compile_with_formwork(spec, model, floatx, folder)
        ours[floatx] = run_formwork(spec, compiled, inputs, batches)
        results[floatx] = run_keras(model, floatx, inputs, batches, folder)
    exact = results["float64"]
    for what, a, b in pairs(ours["float64"], exact):
        check(f"float64 {what}", error(a, b), 1e-9 if what.startswith("prediction") else 1e-7)
    own = {what: error(a, b) for what, a, b in pairs(results["float32"], exact)}
    limits = {what: 2 * value + slack(what) for what, value in own.items()}
    errors = {what: error(a, b) for what, a, b in pairs(ours["float32"], exact)}
    if not all(errors[what] <= limits[what] for what in errors):
        for what, value in own_errors(spec, inputs, batches, exact, folder).items():
            limits[what] = max(limits[what], 2 * value)
    for what, value in errors.items():
        check(f"float32 {what}", value, limits[what])


# One rounding is 2^-24. A prediction passes through at most six layers whose sums have fewer than
# 2^12 terms; in another order they differ by about the square root of that many roundings each.
# Twenty steps of an optimizer that divides by the root of v turn a gradient's relative error into
# one of the step, which at a rate of 0.01 moves a weight by at most 0.01 of its norm each.
def slack(what):
    one = 2.0**-24 * 64 * 6
    return one if what.startswith("prediction") else one * (1 + STEPS)
