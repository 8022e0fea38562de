"""Times Formwork beside its peers and beside what this machine can do at most.

Each comparison, of a model and a peer, is a process of its own: Formwork's shared library through
ctypes with prepared arguments, the same from a loop in C, the peer, and probes of arithmetic and
memory, in turns; medians. `share` is the least time that the probes leave for the FLOPs of
contractions, or for reading and writing each variable once, over Formwork's time from C.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys

import native
import report
from peers import PEERS

HERE = pathlib.Path(__file__).resolve().parent
MINUTES = 10  # of a comparison


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def run(script, *arguments, minutes=60):
    """The last lines of a script's output that are JSON; SystemExit with what it said if it fails."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run(
        [sys.executable, HERE / script, *map(str, arguments)],
        cwd=HERE, capture_output=True, text=True, env=environment, timeout=60 * minutes,
    )  # fmt: skip
    if process.returncode:
        raise RuntimeError(f"{script} fails: {(process.stderr or process.stdout)[-1500:]}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def compare(case, key, threads, options):
    """Rows of a peer, or of Formwork alone if `key` is None."""
    request = {
        **case, "peer": key, "threads": threads, "rounds": options.rounds, "target": options.milliseconds / 1e3
    }  # fmt: skip
    if key and not case["name"] and key in ("jax", "torch", "torch-compiled"):
        return {}
    try:
        return run("comparison.py", json.dumps(request), minutes=MINUTES)[-1]
    except subprocess.TimeoutExpired:
        return dict.fromkeys(case["cases"], {"problem": f"took more than {MINUTES} minutes"})
    except RuntimeError as failure:
        line = str(failure).strip().splitlines()[-1][:200]
        return dict.fromkeys(case["cases"], {"problem": line})


def costs(case):
    """Of the library that trains and of the one that only infers."""
    return {
        kind: {**compiled, **native.start(case["libraries"][kind], case["symbol"])}
        for kind, compiled in case["compiled"].items()
    }


def measure_case(case, options, rows):
    for threads in options.threads:
        for key in options.peers or [None]:
            for what, found in compare(case, key, threads, options).items():
                title = PEERS[key].title if key else None
                rows.append({"model": case["model"], "what": what, "threads": threads, "peer": title, **found})
                report.print_row(rows[-1])


def cases(options):
    """Those of the command line, in the order in which they are made."""
    for name in options.models:
        yield from run("bench_cases.py", name, "--fold-embeddings", options.fold_embeddings)
    if options.random:
        yield from run("random_cases.py", options.random, *([options.seed] if options.seed else []))


def measure_models(options, result):
    print(report.HEADER, flush=True)
    for case in cases(options):
        if "problem" in case:
            result["problems"].append({"model": case["model"], "problem": case["problem"]})
            print(f"{case['model']}: {case['problem'].splitlines()[0][:200]}", flush=True)
            continue
        result["costs"][case["model"]] = costs(case)
        measure_case(case, options, result["rows"])


def choose(options):
    """Completes the options by each other."""
    import models

    cores = len(os.sched_getaffinity(0))
    options.threads = options.threads or sorted({1, cores})
    known = [*models.MODELS, *models.VARIANTS, *report.KERNELS]
    for name in options.models:
        if name not in known:
            sys.exit(f"{name} is not among {', '.join(known)}")
    options.kernels = [name for name in report.KERNELS if name in options.models]
    options.models = [name for name in options.models if name not in report.KERNELS]
    if not (options.models or options.kernels or options.variants or options.random):
        options.models, options.kernels = list(models.MODELS), list(report.KERNELS)
    if options.variants:
        # Beside their parents, whose share they are to keep.
        names = [n for n in models.VARIANTS if not options.models or n.split("-")[0] in options.models]
        parents = dict.fromkeys([*options.models, *(n.split("-")[0] for n in names)])
        options.models = [*parents, *names]
    if options.peers is None:
        options.peers = list(PEERS)
    for key in options.peers:
        if key not in PEERS:
            sys.exit(f"{key} is not among {', '.join(PEERS)}")


def words(text):
    return [word for word in text.split(",") if word]


def parse():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = options.add_argument
    add("models", nargs="*", metavar="MODEL", help="models, variants, matmul, conv; all but variants")
    add("--threads", type=lambda t: [int(n) for n in words(t)], help="1,2: one after the other (1 and all cores)")
    add("--rounds", type=int, default=7)
    add("--milliseconds", type=float, default=20, help="that one sample takes (20)")
    add("--peers", type=words, help=f"of {', '.join(PEERS)}; '' for none (all)")
    add("--shapes", type=int, metavar="N", help="only the first N of matmul's and of conv's (all)")
    add("--random", type=int, default=0, metavar="N", help="N models of the differential generator as well")
    add("--seed", help="of these (the commit's hash)")
    add("--fold-embeddings", type=int, default=0, metavar="BYTES", help="that inference may take for it (0)")
    add("--variants", action="store_true", help="variants of the models, beside them")
    add("--json", type=pathlib.Path, metavar="FILE")
    add("--svg", type=pathlib.Path, metavar="FILE", help="a chart")
    return options.parse_args()


def main():
    options = parse()
    choose(options)
    native.build()
    load = os.getloadavg()[0]
    result = {
        "processor": processor(), "cores": len(os.sched_getaffinity(0)), "load_before": load,
        "rounds": options.rounds, "fold_embeddings": options.fold_embeddings,
        "rows": [], "costs": {}, "kernels": [], "problems": [],
    }  # fmt: skip
    report.print_machine(result, options.threads)
    if options.models or options.random:
        measure_models(options, result)
        report.print_summary(result)
    for kind in options.kernels:
        for threads in options.threads:
            request = {"kind": kind, "threads": threads, "rounds": options.rounds}
            request["target"] = options.milliseconds / 1e3
            request["peer"] = bool(options.peers)
            request["shapes"] = options.shapes
            rows = run("kernels.py", json.dumps(request))
            result["kernels"] += rows
            report.print_kernels(kind, threads, rows)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1))
    if options.svg:
        report.draw(result, options.svg)


if __name__ == "__main__":
    main()
