"""Small models with the GPU's kernels, run on the CPU, beside the CPU's path (cuda_models)."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
import keras  # noqa: E402
from keras import layers  # noqa: E402

BUILD = pathlib.Path(os.environ.get("FORMWORK_BUILD", pathlib.Path(__file__).parents[2] / "build"))

def attention():
    x = given = keras.Input((5,), name="x", dtype="int32")
    x = layers.Embedding(30, 6, mask_zero=True)(x)
    x, state = layers.SimpleRNN(6, return_sequences=True, return_state=True)(x)
    # Without biases: scores do not depend on the keys', whose gradient is rounding alone.
    x = layers.MultiHeadAttention(2, 3, use_bias=False)(x, x, use_causal_mask=True)
    x = layers.LSTM(6)(x, initial_state=[state, state])
    return keras.Model(given, layers.Dense(10, "softmax")(x), name="attention")


# Each a chain of layers, or what makes a model, with the signatures that are compiled beside the
# unknown one.
MODELS = {
    "digits": (
        [keras.Input((64,), name="x"), layers.Dense(32, "relu"), layers.Dense(10, "softmax")],
        ["x:f32[32,64]"],
    ),
    "mlp": (
        [
            keras.Input((28, 28), name="x"),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ],
        ["x:f32[32,28,28]"],
    ),
    "cnn": (
        [
            keras.Input((14, 14, 3), name="x"),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, "softmax"),
        ],
        ["x:f32[8,14,14,3]"],
    ),
    "autoencoder": (
        [
            keras.Input((100,), name="x"),
            layers.Dense(64, "gelu"),
            layers.LayerNormalization(),
            layers.Dense(7, "tanh"),
            layers.Dense(64, "relu"),
            layers.Dense(10, "softmax"),
        ],
        ["x:f32[5,100]"],
    ),
    "lstm": (
        [
            keras.Input((9,), name="x", dtype="int32"),
            layers.Embedding(50, 12),
            layers.LSTM(16),
            layers.Dense(10, "softmax"),
        ],
        ["x:i32[4,9]"],
    ),
    "masked": (
        [
            keras.Input((5,), name="x", dtype="int32"),
            layers.Embedding(30, 6, mask_zero=True),
            layers.BatchNormalization(),
            layers.Bidirectional(layers.GRU(4, return_sequences=True)),
            layers.TimeDistributed(layers.Dense(3, "tanh")),
            layers.GlobalAveragePooling1D(),
            layers.Dense(10, "softmax"),
        ],
        ["x:i32[3,5]"],
    ),
    "attention": (attention, ["x:i32[3,5]"]),
}


def lower(name, folder):
    """The model's pure functions, gradients included, as text."""
    parts, signatures = MODELS[name]
    model = parts() if callable(parts) else keras.Sequential(parts, name=name)
    # Updates that are linear in the gradient: what differs in it differs as much in them.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy")
    archive, text = folder / f"{name}.keras", folder / f"{name}.mlir"
    model.save(archive)
    command = [BUILD / "bin/formwork", "compile", archive, "--train", "--emit=fw", "-o", text]
    for signature in signatures:
        command += ["--signature", signature]
    subprocess.run(command, check=True)
    return text


def main():
    with tempfile.TemporaryDirectory() as folder:
        texts = [lower(name, pathlib.Path(folder)) for name in MODELS]
        run = subprocess.run(
            [BUILD / "bin/cuda_models", *texts], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    print(run.stdout)
    failed = re.search(r"^ *(\d+) FAILED TEST", run.stdout, re.MULTILINE)
    passed = re.search(r"^\[  PASSED  \] (\d+) test", run.stdout, re.MULTILINE)
    count = int(passed.group(1)) if passed else 0
    print(f"{count} passed, {int(failed.group(1)) if failed else int(run.returncode != 0)} failed")
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())
