"""Compiles a specification with Formwork and compares every number with Keras's.

In float64 predictions agree within 1e-9 and, after 12 training steps, each variable within 1e-7 of
its norm. In float32 the error against float64 Keras is at most twice that of float32 Keras, plus
what a sum in another order may differ by.

One float32 run is one draw of its roundings. Where they decide what is learned (the gradient of a
bias before a normalization is zero, but for rounding, and Adam makes steps of it) errors of one
implementation differ tenfold from draw to draw, and two runs say little of which is the better. A
result whose run is beyond its limit is drawn 15 times on both sides, inputs and weights rounded
otherwise each time, and then the medians are held to the limit. Errors like that spread by a factor
of two (a standard deviation of 0.65 in logarithms), medians of 15 by one of 1.23: that alike
implementations differ by more than two is then a matter of one in a hundred; 60 draws decide what is
left. Where float32 Keras's own losses are off by more than their size, it went another way than the
exact model (cosines of vectors that are zero but for rounding do that), and what was learned on the
way is compared in float64 alone. In float64 a result may be beyond its limit by what 64 roundings of
Keras's inputs and weights make of it: a sum of up to 2^12 terms in another order differs by as many.
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

STEPS = 12
DRAWS = 15, 60
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


def compile_with_formwork(spec, model, floatx, folder, concrete=True):
    """The model's archive, and if `concrete` a function of its own for the specification's sizes."""
    archive, library = folder / f"{floatx}.keras", folder / f"{floatx}.so"
    model.save(archive)
    return compile_library(archive, library, *(["--signature", signature(spec, floatx)] if concrete else []))


def compile_library(archive, library, *options):
    """The archive's model, for training too."""
    library.unlink(missing_ok=True)
    command = [
        BUILD / "bin/formwork", "compile", archive, "-o", library, "--emit=shared", "--train",
        "--name", "m", *options,
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


def nudge_state(compiled, rng, unit):
    for name, info in compiled.variables.items():
        stored = compiled.stored(name)
        if formwork_model.ROLES[info.role] == "weight" and stored.dtype.kind == "f":
            stored[:] = reference.nudged([stored], rng, unit)[0]


def run_formwork(compiled, inputs, batches, nudge=None):
    """Predictions, then all training steps, from the archive's weights on; `nudge` as in
    reference.run."""
    compiled.restore()
    if nudge:
        nudge_state(compiled, *nudge)
        inputs = reference.nudged(inputs, *nudge)
    predictions = list(compiled.predict(*inputs).values())
    if "rng" in compiled.variables:
        compiled.variable("rng")[:] = 0
    compiled.reset_metrics()
    for step, (x, y) in enumerate(batches):
        if step == len(batches) - 1:
            compiled.reset_metrics()  # train_on_batch's logs are of one batch
        if nudge:
            nudge_state(compiled, *nudge)
            x = reference.nudged(x, *nudge)
        compiled.train_step(*x, *y)
    variables = {
        info.path.decode(): np.array(compiled.variable(name))
        for name, info in compiled.variables.items()
        if info.path
    }
    return {"predictions": predictions, "variables": variables, "logs": compiled.metric_values()}


def error(ours, theirs):
    """The distance in proportion to the norm; a norm below 1e-2 is taken as that. 0 where
    the numbers have grown beyond all bounds in Keras: there is nothing to compare."""
    if not np.all(np.isfinite(theirs)):
        return 0.0
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


def is_loss(what):
    return what.startswith("metric ") and what.endswith("loss")


def run_keras(model, floatx, inputs, batches, folder, nudge=None):
    result = reference.run(model, floatx, inputs, batches, nudge)
    return {**result, "variables": variables_of(model, folder)}


def errors(result, exact):
    return {what: error(a, b) for what, a, b in pairs(result, exact)}


def medians(run, exact, seed, count):
    """Of each result, the median of its errors in so many runs, rounded otherwise in each: in the last
    bits of inputs and weights, before the predictions and before every step."""
    draws = []
    for draw in range(count):
        nudge = np.random.default_rng([seed, 2, draw]), 2.0**-23
        draws.append(errors(run(nudge), exact))
    return {what: np.median([e[what] for e in draws]) for what in draws[0]}


def prepare(spec, floatx, folder):
    """Keras's model, Formwork's, the inputs to predict with and the batches to train on."""
    model = reference.build(spec, floatx)
    # Compiling takes most of the time: concrete functions in float32, of half of the models, are enough.
    concrete = floatx == "float32" and spec.get("concrete", True)
    compiled = compile_with_formwork(spec, model, floatx, folder, concrete)
    return model, compiled, *reference.draw_batches(spec, model, STEPS)


def check_exact(ours, exact, run_again):
    """What float64 allows. `run_again` runs Keras once more, with a nudge."""
    limits = {what: 1e-9 if what.startswith("prediction") else 1e-7 for what, _, _ in pairs(ours, exact)}
    found = errors(ours, exact)
    if any(not found[what] <= limits[what] for what in found):
        # Rounded by less than a unit, most numbers would stay.
        rounding = errors(run_again((np.random.default_rng(1), 2.0**-52)), exact)
        limits = {what: max(limit, 64 * rounding[what]) for what, limit in limits.items()}
    for what, value in found.items():
        check(f"float64 {what}", value, limits[what])


def check_float64(spec, folder):
    """Keras's results, by which those in float32 are measured."""
    model, compiled, inputs, batches = prepare(spec, "float64", folder)
    exact = run_keras(model, "float64", inputs, batches, folder)

    def run_again(nudge):
        return run_keras(reference.build(spec, "float64"), "float64", inputs, batches, folder, nudge)

    check_exact(run_formwork(compiled, inputs, batches), exact, run_again)
    return exact


def check_float32(spec, exact, folder):
    model, compiled, inputs, batches = prepare(spec, "float32", folder)

    def run_ours(nudge=None):
        return run_formwork(compiled, inputs, batches, nudge)

    def run_theirs(nudge):
        return run_keras(reference.build(spec, "float32"), "float32", inputs, batches, folder, nudge)

    def limit(what):
        return 2 * theirs[what] + slack(what)

    theirs = errors(run_keras(model, "float32", inputs, batches, folder), exact)
    ours = errors(run_ours(), exact)

    def find_beyond():
        return [what for what in ours if np.isfinite(theirs[what]) and not ours[what] <= limit(what)]

    beyond = find_beyond()
    for count in DRAWS:
        if beyond:  # for the others what was drawn before was enough
            ours, theirs = (medians(run, exact, spec["seed"], count) for run in (run_ours, run_theirs))
            beyond = [what for what in beyond if what in find_beyond()]
    if any(value > 1 for what, value in theirs.items() if is_loss(what)):
        beyond = [what for what in beyond if what.startswith("prediction")]
    for what in beyond:
        check(f"float32 {what}, median of {count}", ours[what], limit(what))


def compare(spec, folder):
    """Raises Mismatch where Formwork and Keras differ."""
    check_float32(spec, check_float64(spec, folder), folder)


# One rounding is 2^-24. A prediction passes through at most six layers whose sums have fewer than
# 2^12 terms; in another order they differ by about the square root of that many roundings each.
# Steps of an optimizer that divides by the root of v turn a gradient's relative error into
# one of the step, which at a rate of 0.01 moves a weight by at most 0.01 of its norm each.
def slack(what):
    one = 2.0**-24 * 64 * 6
    return one if what.startswith("prediction") else one * (1 + STEPS)
