"""Random models of the differential generator as cases: `random_cases.py COUNT [SEED]`.

The seed, any word, decides which: without one it is the commit's hash, so that nothing can have been
made for these models.
"""

import functools
import hashlib
import os
import subprocess
import sys

os.environ.update(KERAS_BACKEND="tensorflow", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import bench_cases as cases
import measure

TESTS = cases.HERE.parent
sys.path[:0] = [str(TESTS / "differential"), str(TESTS / "python")]

import numpy as np
import reference
from draft import Coverage
from generate import generate


def commit():
    process = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=cases.HERE, check=True, capture_output=True, text=True
    )
    return process.stdout.strip()


def draw(spec, model, size):
    """Inputs and targets of a batch."""
    rng = np.random.default_rng([spec["seed"], size])
    inputs = reference.draw_inputs(spec, rng, size, reference.token_limit(spec))
    targets = [
        reference.draw_target(loss, rng, [size, *output.shape[1:]])
        for loss, output in zip(spec["losses"], model.outputs)
    ]
    return reference.as_given(inputs, "float32"), reference.as_given(targets, "float32")


def random_case(name, spec):
    model = reference.build(spec, "float32")
    batches = {size: draw(spec, model, size) for size in cases.SIZES}
    return cases.make(model, name, None, batches, cases.SIZES[-1])


def main(count, seed=None):
    first = int(hashlib.sha256((seed or commit()).encode()).hexdigest()[:8], 16)
    coverage, makers = Coverage(), {}
    for number in range(first, first + int(count)):
        spec = generate(number, coverage)
        coverage.add(spec["uses"])
        makers[f"random_{number}"] = functools.partial(random_case, f"random_{number}", spec)
    measure.pin(1)
    cases.print_cases(makers)


main(*sys.argv[1:])
