"""Compares random models with Keras until every value of every argument was compared twice.

    run.py [--models 400] [--seed 0] [--minutes M] [--only SEED] [--layers GRU,LSTM]

A run of fewer models compares the first of the same sequence, and covers what those cover. So does
one whose time is up; how many it compared, it says.
Models are drawn from their seeds, in two processes. A model that fails is made smaller while it
still fails and written to differential-failures/ in the build folder; a fixed one is kept in
regressions/, which is compared first in every run.
"""

import argparse
import concurrent.futures
import itertools
import json
import math
import multiprocessing
import os
import pathlib
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", HERE.parents[1] / "build"))
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from draft import ENOUGH, Coverage
from generate import generate

ALL = 400  # models of a whole run


def compare_one(spec):
    """None, or why the model fails. Runs in a process of its own, with Keras loaded once."""
    import tempfile

    from compare import Mismatch, compare

    try:
        with tempfile.TemporaryDirectory() as folder:
            compare(spec, pathlib.Path(folder))
    except Mismatch as mismatch:
        return str(mismatch)
    except Exception:
        return traceback.format_exc(limit=8)
    return None


def compare_in_time(spec, end):
    """The result of compare_one, in a tuple, which is empty where the time `end` has come."""
    return (compare_one(spec),) if time.monotonic() < end else ()


def load_keras():
    """Its objects stay: the collection before each model need not go through them."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    import gc

    import compare  # noqa: F401

    gc.freeze()


def two_processes():
    """Both cores' worth, in processes of their own that load Keras once."""
    spawn = multiprocessing.get_context("spawn")
    return concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn, initializer=load_keras)


def compare_all(specs, end):
    """Each specification that is begun before the time `end`, with why it fails, or None. New
    processes now and then, since TensorFlow gives back little memory; not by max_tasks_per_child,
    with which Python 3.11's pools may hang."""
    for start in range(0, len(specs), 70):
        if time.monotonic() >= end:
            return
        some = specs[start : start + 70]
        with two_processes() as pool:
            results = pool.map(compare_in_time, some, itertools.repeat(end))
            yield from ((spec, result[0]) for spec, result in zip(some, results) if result)


def smaller(spec):
    """The specification with one node fewer, in every way there is: users take the node's input."""
    count = len(spec["inputs"])
    for index in range(len(spec["nodes"]) - 1, -1, -1):
        node = spec["nodes"][index]
        at = count + index
        if len(set(node["from"])) != 1 or at in spec["outputs"]:
            continue
        if any(n.get("shares") == at for n in spec["nodes"]):
            continue
        moved = lambda i, at=at, source=node["from"][0]: source if i == at else i - (i > at)
        nodes = [
            {**n, "from": [moved(i) for i in n["from"]], **({"shares": moved(n["shares"])} if "shares" in n else {})}
            for k, n in enumerate(spec["nodes"])
            if k != index
        ]
        yield {**spec, "nodes": nodes, "outputs": [moved(i) for i in spec["outputs"]]}


def minimise(spec, pool):
    """The smallest model found that still differs from Keras."""
    for candidate in smaller(spec):
        reason = pool.submit(compare_one, candidate).result()
        # A model that Keras cannot build is not a smaller failure.
        if reason and "Traceback" not in reason:
            return minimise(candidate, pool)
    return spec


def keep_failure(spec, reason, pool):
    folder = BUILD / "differential-failures"
    folder.mkdir(parents=True, exist_ok=True)
    small = spec if "Traceback" in reason else minimise(spec, pool)
    path = folder / f"{spec['seed']}.json"
    path.write_text(json.dumps({"reason": reason, **small}, indent=1))
    return path


def drawn(first, models, layers):
    """Specifications from `first` on: of a whole run as many as it takes to cover all arguments."""
    coverage, seed = Coverage(layers), first
    most = 3 * models if models >= ALL else models
    while seed < first + models or (min(coverage.counts.values()) < ENOUGH and seed < first + most):
        spec = generate(seed, coverage)
        seed += 1
        coverage.add(spec["uses"])
        yield spec


def print_coverage(specs):
    coverage = Coverage()
    for spec in specs:
        coverage.add(spec["uses"])
    print("how often each value was compared:")
    owner_before = None
    for (owner, argument, value), count in coverage.counts.items():
        if owner != owner_before:
            print(f"\n  {owner}", end="")
        print(f"\n    {argument} " if (owner, argument) != owner_before else "", end="")
        print(f"{value}:{count}", end=" ")
        owner_before = owner
    print()
    return min(coverage.counts.values())


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--models", type=int, default=ALL)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--minutes", type=float, default=math.inf, help="begin no model after so long")
    options.add_argument("--layers", type=lambda names: names.split(","), help="draw these above all")
    options.add_argument("--only", type=int, help="compare one seed of the sequence")
    options.add_argument("--file", type=pathlib.Path, help="compare one specification")
    options = options.parse_args()

    regressions = [json.loads(p.read_text()) for p in sorted((HERE / "regressions").glob("*.json"))]
    specs = list(drawn(options.seed, options.models, options.layers))
    if options.only is not None:
        regressions, specs = [], [s for s in specs if s["seed"] == options.only]
    if options.file:
        regressions, specs = [json.loads(options.file.read_text())], []

    failed, compared = [], []
    for spec, reason in compare_all(regressions + specs, time.monotonic() + 60 * options.minutes):
        compared.append(spec)
        if reason:
            failed.append((spec, reason))
            print(f"model {spec['seed']} ({len(spec['nodes'])} layers): {reason}", flush=True)
    if failed:
        with two_processes() as pool:
            for spec, reason in failed:
                print(f"model {spec['seed']} is kept as {keep_failure(spec, reason, pool)}", flush=True)
    different = [spec for spec, _ in failed]
    alike = [s for s in specs if s in compared and s not in different]
    count = len(regressions) + len(specs)
    if len(compared) < count:
        print(f"{len(compared)} of {count} models in {options.minutes:g} minutes")
    whole = options.models >= ALL and options.only is None and options.file is None and len(compared) == count
    least = print_coverage(alike) if whole else ENOUGH
    complete = least >= ENOUGH
    if not complete:
        print(f"a value was compared {least} times, not {ENOUGH}")
    print(f"{len(compared) - len(failed)} passed, {len(failed) + (not complete)} failed")
    return 1 if failed or not complete else 0


if __name__ == "__main__":
    sys.exit(main())
