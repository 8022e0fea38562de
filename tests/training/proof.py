"""Whole training runs of produced programs, against Keras and against themselves."""

import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", ROOT / "build"))
sys.path.insert(0, str(ROOT / "tests/python"))

import h5py
import keras
import models
import numpy as np
from cases import Failure, run_cases
from keras_on_tensorflow import dense_gradients

dense_gradients()
FORMWORK = BUILD / "bin/formwork"
COUNT = 300  # examples; no batch size below divides it but 1


def run(*command):
    process = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600)
    if process.returncode:
        raise Failure(f"{' '.join(map(str, command))}\nfails:\n{process.stderr[-2000:]}")
    return process.stdout


class Case:
    """A model, its archive, its data and the program that Formwork made of it."""

    def __init__(self, folder, name, floatx="float64"):
        self.folder = folder
        self.model, self.data = models.build(name, COUNT, floatx)
        self.archive, self.npz = folder / f"{name}.keras", folder / f"{name}.npz"
        self.model.save(self.archive)
        np.savez(self.npz, **self.data)
        self.program = folder / name
        run(FORMWORK, "compile", self.archive, "-o", self.program, "--train")

    def train(self, out, epochs, *options, batch=32, weights=None):
        path = self.folder / out
        resumed = ["--weights", weights] if weights else []
        run(self.program, "train", "--data", self.npz, "--epochs", epochs, "--batch-size", batch,
            "-o", path, *resumed, *options)  # fmt: skip
        return path

    def fit_keras(self, archive, epochs, batch=32):
        model = keras.models.load_model(archive)
        x, y = models.split(model, self.data)
        model.fit(x, y, batch_size=batch, epochs=epochs, shuffle=False, verbose=0)
        path = self.folder / f"{pathlib.Path(archive).stem}_and_{epochs}_by_keras.keras"
        model.save(path)
        return path


def variables(archive):
    """All variables in the archive, by place."""
    found = {}
    with zipfile.ZipFile(archive) as members, tempfile.NamedTemporaryFile(suffix=".h5") as file:
        file.write(members.read("model.weights.h5"))
        file.flush()
        with h5py.File(file.name) as weights:
            weights.visititems(lambda n, i: found.update({n: i[()]}) if isinstance(i, h5py.Dataset) else None)
    return {name: value for name, value in found.items() if "seed_generator" not in name}


def check_close(ours, theirs, tolerance=1e-7):
    """Each variable within `tolerance` of its norm; a norm below 1e-2 counts as that."""
    a, b = variables(ours), variables(theirs)
    if set(a) != set(b):
        raise Failure(f"the archives hold different variables: {sorted(set(a) ^ set(b))}")
    for name, value in b.items():
        error = np.linalg.norm(np.ravel(a[name] - value)) / max(np.linalg.norm(np.ravel(value)), 1e-2)
        if not error <= tolerance:
            raise Failure(f"{name} is off by {error:.1e}")


def check_same_bits(ours, theirs):
    a, b = variables(ours), variables(theirs)
    different = [n for n in set(a) | set(b) if n not in a or n not in b or a[n].tobytes() != b[n].tobytes()]
    if different:
        raise Failure(f"different bits in {sorted(different)}")


def trains_like_keras(folder, name):
    case = Case(folder, name)
    check_close(case.train("ours.keras", 3, "--no-shuffle"), case.fit_keras(case.archive, 3))


def trains_with_any_batch_size(folder, batch):
    case = Case(folder, "two_inputs")
    ours = case.train("ours.keras", 2, "--no-shuffle", batch=batch)
    check_close(ours, case.fit_keras(case.archive, 2, batch))


def same_bits_with_threads(folder, name):
    case = Case(folder, name, "float32")
    archives = [case.train(f"{n}.keras", 3, "--threads", t) for n, t in enumerate([1, 2, 3, 1])]
    for other in archives[1:]:
        check_same_bits(other, archives[0])


def resumes_to_the_bit(folder, name):
    case = Case(folder, name, "float32")
    whole = case.train("whole.keras", 4)
    half = case.train("half.keras", 2)
    check_same_bits(case.train("rest.keras", 4, "--initial-epoch", 2, weights=half), whole)


def keras_continues(folder, name):
    case = Case(folder, name)
    half = case.train("half.keras", 2, "--no-shuffle")
    check_close(case.fit_keras(half, 2), case.fit_keras(case.archive, 4))


def formwork_continues(folder, name):
    case = Case(folder, name)
    half = case.fit_keras(case.archive, 2)
    ours = case.train("ours.keras", 2, "--no-shuffle", weights=half)
    check_close(ours, case.fit_keras(case.archive, 4))


def trains_from_the_command_line(folder):
    model, data = models.build("digits", COUNT)
    archive, npz, out = folder / "m.keras", folder / "d.npz", folder / "out.keras"
    model.save(archive)
    np.savez(npz, **data)
    run(FORMWORK, "train", archive, "--data", npz, "--epochs", 2, "--batch-size", 32, "--no-shuffle", "-o", out)
    reference = Case(folder, "digits")
    check_close(out, reference.fit_keras(archive, 2))


def predicts_and_evaluates_like_keras(folder):
    case = Case(folder, "two_inputs")
    answers = folder / "answers.npy"
    run(FORMWORK, "predict", case.archive, "--input", case.npz, "-o", answers)
    x, y = models.split(case.model, case.data)
    error = np.abs(np.load(answers) - case.model.predict(x, verbose=0)).max()
    if not error <= 1e-9:
        raise Failure(f"predictions are off by {error:.1e}")
    printed = run(FORMWORK, "evaluate", case.archive, "--data", case.npz)
    loss = case.model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    if f"{loss:.4f}" not in printed:
        raise Failure(f"the loss is {loss:.4f}, evaluate prints {printed}")


TESTS = {
    **{
        f"{name} trains like Keras": (trains_like_keras, name)
        for name in ("digits", "two_inputs", "two_outputs", "images", "text", "wide")
    },
    **{f"batches of {batch} match Keras": (trains_with_any_batch_size, batch) for batch in (1, 7, 31, 257)},
    "the same bits with 1, 2 and 3 threads": (same_bits_with_threads, "dropped"),
    "the same bits with 1, 2 and 3 threads, recurrent": (same_bits_with_threads, "text"),
    "the same bits with 1, 2 and 3 threads, convolutional": (same_bits_with_threads, "images"),
    "the same bits with 1, 2 and 3 threads, large matrices": (same_bits_with_threads, "wide"),
    "a run cut in two ends in the same bits": (resumes_to_the_bit, "dropped"),
    "a run cut in two ends in the same bits, large matrices": (resumes_to_the_bit, "wide"),
    **{f"Keras continues what Formwork began, {name}": (keras_continues, name) for name in ("text", "wide")},
    **{f"Formwork continues what Keras began, {name}": (formwork_continues, name) for name in ("text", "wide")},
    "formwork train trains": (trains_from_the_command_line,),
    "formwork predict and evaluate agree with Keras": (predicts_and_evaluates_like_keras,),
}


if __name__ == "__main__":
    sys.exit(run_cases(TESTS, sys.argv[1:]))
