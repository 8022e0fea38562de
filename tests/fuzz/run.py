"""Fuzzes every reader of files: each target from its seeds for a few seconds, or for as long as told.

usage: run.py [--seconds N] [TARGET...]

    run.py                        what the tests do: a few seconds each
    run.py --seconds 600          ten minutes each, two at a time
    run.py --seconds 60 csv npy   only these

A finding is an input that crashes, that a sanitizer complains about, that takes more than 30 seconds
or more than 1 GiB. (A reader of HDF5 that runs in circles is stopped after two seconds of its own; a
file may have two, and the machine other work.) Its file is kept in build/fuzz, and how to run it
again is printed.

Files of weights are read by HDF5 in a process of its own (runtime/keras_io/Isolated.h). What happens
there in HDF5's own code, which is known to be unsound, is contained and no finding; what happens
there in ours is one.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
HERE = pathlib.Path(__file__).resolve().parent

# Per target: the folder of its seeds, its dictionary, the size of the largest input.
TARGETS = {
    "keras_json": ("keras_json", "json", 20000),
    "keras_archive": ("keras_archive", "zip", 20000),
    "keras_h5": ("keras_h5", "hdf5", 40000),
    "hdf5_weights": ("hdf5_weights", "hdf5", 24000),
    "checkpoint_weights": ("hdf5_weights", "hdf5", 24000),
    "npy": ("npy", "npy", 4000),
    "npz": ("npz", "zip", 4000),
    "safetensors": ("safetensors", "safetensors", 4000),
    "csv": ("csv", "csv", 4000),
}

# MLIR and LLVM are not sanitized: they do not mark their containers and arenas as sanitized code
# expects (detect_container_overflow, allow_user_poisoning).
ENVIRONMENT = dict(
    os.environ,
    ASAN_OPTIONS="detect_container_overflow=0:allow_user_poisoning=0:allocator_may_return_null=0:"
    "max_allocation_size_mb=1024",
    UBSAN_OPTIONS="print_stacktrace=1",
)
HDF5_TARGETS = {"hdf5_weights", "checkpoint_weights", "keras_archive", "keras_h5"}


def contained(output):
    """How many of the sanitizer's reports are about HDF5's code; the others."""
    reports = re.split(r"^==\d+==ERROR: AddressSanitizer", output, flags=re.MULTILINE)[1:]
    stacks = [report[: report.find("\nSUMMARY")] for report in reports]
    ours = [stack for stack in stacks if "libhdf5" not in stack]
    ours += re.findall(r".*runtime error: .*", output)
    return len(stacks) - len(ours), ours


def fuzz(name, seconds):
    """Whether the target had no finding, and what it said."""
    seeds, dictionary, largest = TARGETS[name]
    findings = BUILD / "fuzz"
    findings.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        command = [
            str(BUILD / "bin/fuzz" / name),
            corpus,
            str(HERE / "seeds" / seeds),
            f"-dict={HERE / 'dictionaries' / dictionary}.txt",
            f"-max_len={largest}",
            f"-max_total_time={seconds}",
            f"-artifact_prefix={findings / name}-",
            "-timeout=30",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
        environment = dict(ENVIRONMENT)
        if name in HDF5_TARGETS:  # children have no access to the symbolizer, nor time for it
            environment["ASAN_OPTIONS"] += ":symbolize=0"
        process = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace"
        )
    if name not in HDF5_TARGETS or process.returncode:
        return process.returncode == 0, process.stdout
    reports, ours = contained(process.stdout)
    print(f"{name}: {reports} faults of HDF5 were contained")
    return not ours, "\n".join([*ours, *re.findall("^stat::.*", process.stdout, re.MULTILINE)[-5:]])


def runs(output):
    lines = [line for line in output.splitlines() if line.startswith("stat::number_of_executed_units")]
    return lines[0].split()[-1] if lines else "no"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=4, help="per target")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    targets = arguments.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}; there are {', '.join(TARGETS)}")

    subprocess.run(
        ["ninja", "-C", str(BUILD), *(f"fuzz_{name}" for name in targets)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    passed = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda name: fuzz(name, arguments.seconds), targets)
        for name, (sound, output) in zip(targets, results):
            passed += sound
            print(f"{name}: {runs(output)} inputs, {'no finding' if sound else 'a finding'}", flush=True)
            if not sound:
                print(output[-6000:], flush=True)
    print(f"{passed} passed, {len(targets) - passed} failed")
    return passed != len(targets)


if __name__ == "__main__":
    sys.exit(main())
