"""Compiles the models, runs each comparison in a process of its own, prints a table."""

import argparse
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", HERE.parents[1] / "build"))
BACKENDS = {"tensorflow": "Keras on TensorFlow", "jax": "Keras on JAX"}
SHAPES = {"digits": "64", "mlp": "28,28"}


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def compile_model(name, folder):
    """Keras writes the archive, Formwork compiles it for the batch sizes that are timed."""
    archive, library = folder / f"{name}.keras", folder / f"{name}.so"
    script = f"import models; models.build({name!r}).save({str(archive)!r})"
    subprocess.run([sys.executable, "-c", script], cwd=HERE, check=True, capture_output=True)
    command = [BUILD / "bin/formwork", "compile", archive, "-o", library, "--emit=shared", "--train", "--name", name]
    for size in (1, 32):
        command += ["--signature", f"image:f32[{size},{SHAPES[name]}]"]
    subprocess.run(command, check=True)
    return library


def compare(backend, name, library, options):
    command = [sys.executable, HERE / "peer.py", backend, name, library, str(options.rounds), str(options.threads)]
    process = subprocess.run(command, cwd=HERE, capture_output=True, text=True)
    if process.returncode:
        sys.exit(f"{BACKENDS[backend]} on {name} fails:\n{process.stderr[-3000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("models", nargs="*", default=list(SHAPES))
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json", type=pathlib.Path)
    options = options.parse_args()

    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{processor()}, {options.threads} thread(s), float32, medians of {options.rounds} rounds in turns\n")
    print(f"{'model':10} {'what':10} {'peer':22} {'Formwork ms':>12} {'peer ms':>10} {'ratio':>7}")
    rows = []
    for name in options.models:
        library = compile_model(name, folder)
        for backend, title in BACKENDS.items():
            for what, figures in compare(backend, name, library, options).items():
                rows.append({"model": name, "what": what, "peer": title, **figures})
                print(
                    f"{name:10} {what:10} {title:22} {figures['formwork_ms']:12.4f}"
                    f" {figures['peer_ms']:10.4f} {figures['ratio']:7.2f}",
                    flush=True,
                )
    if options.json:
        report = {"processor": processor(), "threads": options.threads, "rows": rows}
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
