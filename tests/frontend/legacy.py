"""Whole models in .h5 files, written by Keras: the same predictions as from .keras archives, to the bit,
and trained on, optimizer and all, into archives that Keras loads. Files that are cut, changed or of
Keras 1 are refused; those of Keras 2 are keras2.py's.
"""

import io
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import h5py
import keras
import numpy as np
from keras import layers

BUILD = pathlib.Path(os.environ["FORMWORK_BUILD"])
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="formwork-legacy-"))
RANDOM = np.random.default_rng(3)


def formwork(*words, status=0):
    process = subprocess.run([BUILD / "bin/formwork", *map(str, words)], capture_output=True, text=True, timeout=300)
    assert process.returncode == status, f"{words}: {process.returncode}\n{process.stderr}"
    return process.stderr


def nested():
    z = keras.Input((4,), name="z")
    inner = keras.Model(z, layers.BatchNormalization(name="norm")(layers.Dense(3, name="within")(z)), name="inner")
    x = keras.Input((4,), name="x")
    y = layers.Dense(3, name="frozen", trainable=False)(inner(x))
    return keras.Model(x, layers.Dense(2, activation="softmax", name="out")(y), name="nested")


def sequence():
    return keras.Sequential([keras.Input((5, 3), name="x"), layers.LSTM(4, name="memory"), layers.Dense(2, name="out")])


def image():
    return keras.Sequential(
        [
            keras.Input((6, 6, 2), name="x"),
            layers.Conv2D(3, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(2, name="out"),
        ]
    )


def save(make):
    """The model with random weights, compiled and trained a step, in both formats."""
    model = make()
    model.set_weights([np.abs(RANDOM.normal(size=w.shape)).astype(np.float32) for w in model.get_weights()])
    model.compile("adam", "mse", metrics=["mae"])
    x = RANDOM.random((8, *model.input_shape[1:]), np.float32)
    y = RANDOM.random((8, 2), np.float32)
    model.train_on_batch(x, y)
    paths = FOLDER / f"{make.__name__}.keras", FOLDER / f"{make.__name__}.h5"
    for path in paths:
        model.save(path)
    np.savez(FOLDER / "data.npz", x=x, out=y)
    np.savez(FOLDER / "x.npz", x=x)
    return *paths, x


def variables(archive):
    """All values by path, the optimizer's too."""
    found = {}
    with zipfile.ZipFile(archive) as members, h5py.File(io.BytesIO(members.read("model.weights.h5"))) as file:
        file.visititems(lambda path, item: found.update({path: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def check_same_variables(one, other):
    """Optimizers that began with the same memory end with the same."""
    a, b = variables(one), variables(other)
    assert set(a) == set(b), set(a) ^ set(b)
    different = [path for path in a if a[path].tobytes() != b[path].tobytes()]
    assert not different and "optimizer/vars/0" in a and a["optimizer/vars/0"] > 1, different


def check_same(make):
    archive, legacy, x = save(make)
    for path in archive, legacy:
        formwork("predict", path, "--input", FOLDER / "x.npz", "-o", path.with_suffix(path.suffix + ".npy"))
    ours = np.load(str(legacy) + ".npy")
    assert (np.load(str(archive) + ".npy") == ours).all(), "an .h5 file predicts otherwise"
    theirs = keras.models.load_model(legacy, compile=False).predict(x, verbose=0)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    trained, other = FOLDER / "trained.keras", FOLDER / "other.keras"
    for path, out in [(archive, other), (legacy, trained)]:
        said = formwork("train", path, "--data", FOLDER / "data.npz", "--epochs", 2, "--quiet", "-o", out)
        assert "fresh" not in said, said
    check_same_variables(trained, other)
    formwork("predict", trained, "--input", FOLDER / "x.npz", "-o", FOLDER / "again.npy")
    model = keras.models.load_model(trained)
    again = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.load(FOLDER / "again.npy"), again, rtol=1e-4, atol=1e-5)
    # Weights alone, as Keras saves them, for a model of which there is only the configuration.
    model.save_weights(FOLDER / "trained.weights.h5")
    (FOLDER / "bare.json").write_text(model.to_json())
    weights = "--weights", FOLDER / "trained.weights.h5"
    formwork("predict", FOLDER / "bare.json", *weights, "--input", FOLDER / "x.npz", "-o", FOLDER / "bare.npy")
    assert (np.load(FOLDER / "again.npy") == np.load(FOLDER / "bare.npy")).all(), ".weights.h5 predict otherwise"


def changed(change):
    """A copy of nested.h5 that was changed by `change`."""
    path = FOLDER / "changed.h5"
    path.write_bytes((FOLDER / "nested.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def refuse(path, problem):
    said = formwork("summary", path, status=1)
    assert problem in said, said


def check_mistakes():
    def old(file):
        file.attrs["keras_version"] = "1.2.2"

    def without_model(file):
        del file.attrs["model_config"]

    def missing(file):
        del file["model_weights/inner/within/bias"]

    def other_shape(file):
        del file["model_weights/out/out/bias"]
        file["model_weights/out/out/bias"] = np.zeros(7, np.float32)

    def outside(file):
        del file["model_weights/out/out/bias"]
        file["model_weights/out/out/bias"] = h5py.ExternalLink("/etc/passwd", "/")

    def without_order(file):
        del file["optimizer_weights"].attrs["weight_names"]

    def without_a_slot(file):
        del file["optimizer_weights/adam/out_bias_velocity"]

    def no_names(file):
        file["optimizer_weights"].attrs["weight_names"] = [1, 2, 3]

    def around(file):
        file["model_weights/out/around"] = file["model_weights"]

    refuse(changed(old), "by Keras '1.2.2', whose format is not supported; load it with Keras 3")
    refuse(changed(without_model), "is no Keras model: its attribute model_config is missing")
    refuse(changed(missing), "layer 'inner' has 6 variables, but 'model_weights/inner' of the file has 5")
    refuse(changed(other_shape), "variable 'out/bias': dataset 'model_weights/out/out/bias' has shape (7)")
    refuse(changed(outside), "layer 'out' has 2 variables, but 'model_weights/out' of the file has 1")
    refuse(changed(without_order), "has no attribute 'weight_names' that says their order")
    refuse(changed(no_names), "has no attribute 'weight_names' that says their order")
    refuse(changed(without_a_slot), "optimizer variable 'adam/out_bias_velocity': dataset")
    refuse(changed(around), "layer 'out' has 2 variables, but")
    keras.models.load_model(FOLDER / "nested.h5", compile=False).save_weights(FOLDER / "only.weights.h5")
    refuse(FOLDER / "only.weights.h5", "if it has weights alone, save the whole model")


def check_cut_files():
    whole = (FOLDER / "sequence.h5").read_bytes()
    cut = FOLDER / "cut.h5"
    for part in range(1, 20):
        cut.write_bytes(whole[: len(whole) * part // 20])
        formwork("summary", cut, status=1)


def main():
    passed = failed = 0
    checks = [(check_same, nested), (check_same, sequence), (check_same, image), (check_mistakes,), (check_cut_files,)]
    for check, *arguments in checks:
        try:
            check(*arguments)
            passed += 1
        except Exception as error:
            failed += 1
            print(f"FAILED {check.__name__} {[a.__name__ for a in arguments]}: {error!r}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
