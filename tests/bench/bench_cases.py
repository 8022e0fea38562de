"""What is timed, made once: Keras's archive, Formwork's library and the data, in the build folder.

Runs in a process of its own (`bench_cases.py [--fold-embeddings BYTES] MODEL ...`), since Keras is
loaded with a backend.
"""

import argparse
import functools
import json
import math
import os
import re
import subprocess
import time

import measure
from native import BUILD, FOLDER, HERE

SIZES = (1, 32)


# ---- what the machine must do at least ----------------------------------------------------------


def call_flops(layer, call):
    """Multiplications and additions of contractions, for one sample; of what else a layer does there
    may be any number. `call` is a node of Keras's graph."""
    kernel, name = getattr(layer, "kernel", None), type(layer).__name__
    if name in ("LSTM", "GRU", "SimpleRNN"):
        steps = call.input_tensors[0].shape[1]
        return 2 * steps * sum(math.prod(w.shape) for w in layer.cell.weights[:2])
    if kernel is None:
        return 0
    places = math.prod(call.outputs[0].shape[1:]) // kernel.shape[-1]
    if name == "Dense" or re.fullmatch(r"Conv[123]D", name):
        return 2 * places * math.prod(kernel.shape)
    return 0


def calls(model):
    return [(layer, call) for layer in model.layers for call in layer._inbound_nodes]


def first_flops(model):
    """Of contractions of the inputs themselves, with respect to which no gradient is needed."""
    inputs, first = {id(value) for value in model.inputs}, 0
    for layer, call in calls(model):
        if not any(id(value) in inputs for value in call.input_tensors):
            continue
        if type(layer).__name__ in ("Flatten", "Reshape"):
            inputs.add(id(call.outputs[0]))
        first += call_flops(layer, call)
    return first


def bounds(model, trains, size):
    """FLOPs, the bytes that must be read and written once, and the bytes among which they are."""
    forward = sum(call_flops(layer, call) for layer, call in calls(model))
    data = 4 * size * sum(math.prod(v.shape[1:]) for v in [*model.inputs, *model.outputs])
    weights = 4 * sum(math.prod(w.shape) for w in model.weights)
    if not trains:
        return {"flops": size * forward, "bytes": weights + data, "working_set": weights + data}
    trained = 4 * sum(math.prod(w.shape) for w in model.trainable_weights)
    state = 3 * trained  # with Adam's two slots; all are read and written
    return {
        "flops": size * (3 * forward - first_flops(model)),
        "bytes": 2 * state + data,
        "working_set": state + data,
    }


# ---- compiling ----------------------------------------------------------------------------------


def formwork(*words):
    """Runs the compiler; seconds."""
    start = time.perf_counter()
    command = [BUILD / "bin/formwork", *words]
    process = subprocess.run(command, capture_output=True, text=True)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} fails: {process.stderr[-2000:]}")
    return time.perf_counter() - start


def code_bytes(library):
    """Of its section of machine code."""
    process = subprocess.run(["readelf", "-SW", library], check=True, capture_output=True, text=True)
    return int(re.search(r"\] \.text\s+PROGBITS\s+\S+\s+\S+\s+(\S+)", process.stdout)[1], 16)


def compile_library(archive, library, symbol, signatures, *options):
    seconds = formwork(
        "compile", archive, "-o", library, "--emit=shared", "--name", symbol,
        *(f"--signature={one}" for one in signatures), *options,
    )  # fmt: skip
    return {"compile_s": seconds, "code_bytes": code_bytes(library)}


# ---- a case -------------------------------------------------------------------------------------


def save_data(path, batches):
    """{size: (x, y)} as x.SIZE.NUMBER and y.SIZE.NUMBER."""
    import numpy as np

    arrays = {}
    for size, (x, y) in batches.items():
        for prefix, given in (("x", x), ("y", y)):
            given = given if isinstance(given, (list, tuple)) else [given]
            arrays.update({f"{prefix}.b{size}.{k}": array for k, array in enumerate(given)})
    np.savez(path, **arrays)


def make(model, name, native, batches, train_size, inference_options=()):
    """Writes the files of a Keras model, compiles it for training and for inference alone, and says
    what a comparison needs to know."""
    import models

    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    archive, symbol = folder / "model.keras", re.sub(r"\W", "_", name)
    model.save(archive)
    save_data(folder / "data.npz", batches)
    signatures = [models.signature(model, size) for size in batches]
    library, inference = folder / f"{symbol}.so", folder / f"{symbol}_predict.so"
    case = {
        "archive": str(archive),
        "libraries": {"train": str(library), "infer": str(inference)},
        "symbol": symbol,
        "name": native,
        "data": str(folder / "data.npz"),
        "compiled": {
            "train": compile_library(archive, library, symbol, signatures, "--train"),
            "infer": compile_library(archive, inference, symbol, signatures, *inference_options),
        },
        "cases": {f"train b{train_size}": bounds(model, True, train_size)},
    }
    for size in batches:
        case["cases"][f"infer b{size}"] = bounds(model, False, size)
    return case


def bench_model(name, inference_options):
    import models

    model = models.build(name)
    batches = {size: models.batch(model, size) for size in SIZES}
    return make(model, name, name, batches, SIZES[-1], inference_options)


def print_cases(makers):
    """A line of JSON for each of {name: how it is made}; what fails says why."""
    for name, maker in makers.items():
        try:
            case = maker()
        except Exception as problem:
            case = {"problem": f"{type(problem).__name__}: {problem}"}
        print(json.dumps({"model": name, **case}), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="*")
    options.add_argument("--fold-embeddings", type=int, default=0)
    options = options.parse_args()
    os.environ.update(KERAS_BACKEND="jax", TF_CPP_MIN_LOG_LEVEL="3")
    measure.pin(1)  # what is compiled here is compiled on one core
    inference = [f"--fold-embeddings={options.fold_embeddings}"] if options.fold_embeddings else []
    print_cases({name: functools.partial(bench_model, name, inference) for name in options.models})


if __name__ == "__main__":
    main()
