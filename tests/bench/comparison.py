"""One comparison: a peer and Formwork in this process, in turns, beside what the machine can do.

    comparison.py JSON

The argument is a request: a case, as bench_cases.py makes them, and peer (null for Formwork alone),
rounds, target, threads. Prints, as its last line, {what: figures, or why there are none}.
"""

import json
import os
import pathlib
import sys

request = json.loads(sys.argv[1])

import measure

measure.pin(request["threads"])

import peers

PEER = peers.PEERS.get(request["peer"])
THREADS = str(request["threads"])
os.environ.update(
    KERAS_BACKEND=PEER.backend if PEER else "jax",
    TF_CPP_MIN_LOG_LEVEL="3",
    CUDA_VISIBLE_DEVICES="",
    JAX_PLATFORMS="cpu",
    OMP_NUM_THREADS=THREADS,
    MKL_NUM_THREADS=THREADS,
    TF_NUM_INTRAOP_THREADS=THREADS,
    TF_NUM_INTEROP_THREADS=THREADS,
)

import statistics

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import formwork_model
from native import Native


def load(data, prefix):
    """Arrays as Keras takes them: one, or a tuple."""
    arrays = tuple(data[key] for key in sorted(data.files) if key.startswith(prefix + "."))
    return arrays if len(arrays) > 1 else arrays[0]


def figures(results, bounds):
    """Medians in milliseconds, ratios, and the least that the machine needs, by the best that it did
    in any round."""
    milliseconds = {name: 1e3 * statistics.median(results[name]) for name in ("ours", "loop")}
    flops, bandwidth = max(results["flops"]), max(results["bandwidth"])
    compute, memory = 1e3 * bounds["flops"] / flops, 1e3 * bounds["bytes"] / bandwidth
    found = {
        "formwork_ms": milliseconds["ours"],
        "formwork_c_ms": milliseconds["loop"],
        "gflops": flops / 1e9,
        "gbytes": bandwidth / 1e9,
        "compute_ms": compute,
        "memory_ms": memory,
        "share": max(compute, memory) / milliseconds["loop"],
    }
    if "theirs" in results:
        found["peer_ms"] = 1e3 * statistics.median(results["theirs"])
        found["ratio"] = measure.ratio(results["theirs"], results["ours"])
    return found


def compare(native, ours, theirs, bounds):
    target = request["target"]
    samplers = {"ours": lambda: measure.sample(ours, target), "loop": native.sampler(ours, target)}
    if theirs:
        samplers["theirs"] = lambda: measure.sample(theirs, target)
    samplers["flops"] = native.flops_per_second
    samplers["bandwidth"] = lambda: native.bytes_per_second(bounds["working_set"])
    return figures(measure.alternate(samplers, request["rounds"]), bounds)


def reason(problem):
    """In a line."""
    if isinstance(problem, peers.Unavailable):
        return str(problem)
    lines = str(problem).strip().splitlines() or ["without a message"]
    return f"{type(problem).__name__}: {lines[0][:200]}"


def main():
    data = np.load(request["data"])
    native = Native(request["threads"])
    loaded = {
        kind: formwork_model.Model(path, request["symbol"]) for kind, path in request["libraries"].items()
    }
    context = native.context()
    case = peers.Case(pathlib.Path(request["archive"]), request["name"])
    results = {}
    for what, bounds in request["cases"].items():
        trains, size = what.split()
        x = load(data, f"x.{size}")
        y = load(data, f"y.{size}") if trains == "train" else None
        given = [*peers.as_list(x), *(peers.as_list(y) if y is not None else [])]
        entries = loaded[trains].entries
        entry = entries["train_step" if trains == "train" else "predict"]
        ours = entry.prepare(*given, context=context)[0]
        theirs = None
        try:
            if PEER:
                peer = peers.make(request["peer"], case)
                theirs = peer.train(x, y) if trains == "train" else peer.infer(x)
                theirs()
        except Exception as problem:
            results[what] = {"problem": reason(problem)}
            continue
        results[what] = compare(native, ours, theirs, bounds)
    print(json.dumps(results))


main()
