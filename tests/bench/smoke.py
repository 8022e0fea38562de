"""Whether tests/bench/run's parts work, with the least of each; nothing is asserted of times but that
there are some."""

import hashlib
import json
import math
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]
sys.dont_write_bytecode = True

import report
from cases import Failure, run_cases

LEAST = ["--threads", "1", "--rounds", "1", "--milliseconds", "0.1"]


def bench(folder, *options):
    """Its JSON, and what it printed."""
    path = folder / "result.json"
    command = [sys.executable, "-B", HERE / "bench.py", *LEAST, *options, "--json", path]
    process = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    if process.returncode:
        raise Failure(f"{options} ends with {process.returncode}: {process.stderr[-2000:]}")
    return json.loads(path.read_text()), process.stdout


def expect(condition, *found):
    if not condition:
        raise Failure(" ".join(map(str, found)))


def positive(row, *names):
    for name in names:
        expect(math.isfinite(row[name]) and row[name] > 0, name, row)


def alone(folder):
    result, printed = bench(folder, "--peers", "", "digits")
    expect([r["what"] for r in result["rows"]] == ["train b32", "infer b1", "infer b32"], result["rows"])
    for row in result["rows"]:
        positive(row, "formwork_ms", "formwork_c_ms", "gflops", "gbytes", "compute_ms", "memory_ms", "share")
        expect("ratio" not in row and row["what"] in printed, row)
    for cost in result["costs"]["digits"].values():
        positive(cost, "compile_s", "code_bytes", "first_result_ms", "peak_memory_bytes")


def with_peers(folder):
    result, printed = bench(folder, "--peers", "keras-jax,jax,openvino", "digits-prime")
    rows = {(r["peer"], r["what"]): r for r in result["rows"]}
    expect(len(rows) == 9, sorted(rows))
    for (peer, what), row in rows.items():
        if peer == "OpenVINO":  # in tests' own environment it is not installed
            expect("problem" in row and row["problem"] in printed, row)
        else:
            positive(row, "formwork_ms", "peer_ms", "ratio")


def random_model(folder):
    result, _ = bench(folder, "--peers", "", "--random", "1", "--seed", "smoke")
    expect(not result["problems"] and len(result["rows"]) == 3, result)
    number = int(hashlib.sha256(b"smoke").hexdigest()[:8], 16)
    expect(result["rows"][0]["model"] == f"random_{number}", "the seed decides", result["rows"][0])


def kernel_shapes(kind, folder):
    result, _ = bench(folder, "--peers", "", "--shapes", "3", kind)
    expect(len(result["kernels"]) == 3, result["kernels"])
    for row in result["kernels"]:
        positive(row, "gflops", "gflops_probe", "gbytes_probe", "share")


def summary(_):
    """Of planted rows."""
    row = {"model": "cnn", "what": "infer b1", "threads": 1, "share": 0.8}
    rows = [
        {**row, "peer": "slow", "ratio": 4.0},
        {**row, "peer": "fast", "ratio": 1.5},
        {**row, "peer": "absent", "problem": "is not installed"},
        {**row, "model": "cnn-prime", "peer": "fast", "ratio": 1.2, "share": 0.6},
    ]
    best = report.best_rows(rows)
    expect([r["peer"] for r in best.values()] == ["fast", "fast"], best)
    kept = report.kept_shares(rows)
    expect({key[0]: round(part, 9) for key, part in kept.items()} == {"cnn-prime": 0.75}, kept)
    ratios = report.charts({"rows": rows, "kernels": []})
    expect([round(r, 1) for chart in ratios.values() for r in chart.values()] == [1.5, 1.2], ratios)


CASES = {
    "a model alone": (alone,),
    "beside peers, of which one is missing": (with_peers,),
    "random models": (random_model,),
    "matrix products": (lambda folder: kernel_shapes("matmul", folder),),
    "convolutions and their gradients": (lambda folder: kernel_shapes("conv", folder),),
    "best peers and kept shares": (summary,),
}

if __name__ == "__main__":
    sys.exit(run_cases(CASES, sys.argv[1:]))
