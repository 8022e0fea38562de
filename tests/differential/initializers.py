"""Compares what initializers without random numbers make with Keras's: arrays, unit matrices, and
kernels of the Fourier transform under every window.

Each row is a layer of one model, whose fresh weights `formwork convert` writes.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["FORMWORK_BUILD"])

import keras
import numpy as np
from keras import initializers, layers

WINDOWS = [
    "hann", "hamming", "blackman", "blackmanharris", "nuttall", "flattop", "boxcar", "bartlett",
    "triang", "barthann", "bohman", "cosine", "parzen", "lanczos", "tukey", "exponential",
]  # fmt: skip
TAPER = [0.1, 0.2, 0.5, 0.7, 0.3, 0.2, 0.1]


def fourier_rows():
    """[frame, 1, frequencies] of odd and even length, one step, and two frequencies alone."""
    for shape in ((7, 1, 5), (8, 1, 3), (1, 1, 4), (2, 1, 2), (300, 1, 129)):
        for window in [*WINDOWS, None, *([TAPER] if shape[0] == 7 else [])]:
            for periodic in (False, True):
                for side in ("real", "imag"):
                    yield shape, initializers.STFT(side, window, "density", periodic)
    for scaling in ("spectrum", None):
        for window in ("hamming", None):
            yield (8, 1, 3), initializers.STFT("real", window, scaling)


def rows():
    """Shapes of kernels and their initializers."""
    table = np.arange(12, dtype="float32").reshape(3, 4) / 7
    yield (3, 4), initializers.Constant(table)
    yield (3, 4), initializers.Constant(table.tolist())
    yield (3, 4), initializers.Constant(table[0])
    yield (3, 4), initializers.Constant(table[:, :1])
    yield (2, 3, 4), initializers.Constant(table)
    yield (3, 4), initializers.Constant(np.arange(4))
    yield (3, 4), initializers.Constant(0.1)
    yield (4, 4), initializers.Identity()  # its get_config() forgets the gain
    yield (3, 5), initializers.Identity()
    yield (3, 5), initializers.Ones()
    yield from fourier_rows()


def layer_of(shape, initializer, name):
    if len(shape) == 2:
        return layers.Embedding(*shape, embeddings_initializer=initializer, name=name)
    return layers.Conv1D(
        shape[2], shape[0], use_bias=False, kernel_initializer=initializer, name=name
    )


def build(table):
    """A model with a layer for each row."""
    tokens = keras.Input((2,), dtype="int32")
    signals = {channels: keras.Input((300, channels)) for channels in (1, 3)}
    outputs = []
    for number, (shape, initializer) in enumerate(table):
        made = layer_of(shape, initializer, f"row{number}")
        outputs.append(made(tokens if len(shape) == 2 else signals[shape[1]]))
    return keras.Model([tokens, *signals.values()], outputs)


def fresh_weights(model, folder):
    configuration, weights = folder / "model.json", folder / "weights.npz"
    configuration.write_text(model.to_json())
    command = [BUILD / "bin/formwork", "convert", configuration, "-o", weights]
    subprocess.run(command, check=True, capture_output=True)
    with np.load(weights) as arrays:
        return dict(arrays)


def tolerance(shape, initializer):
    """Keras rounds angles of up to pi * frame to float32, and the sums of a window's values."""
    if not isinstance(initializer, initializers.STFT):
        return 0
    scaled_window = initializers.STFT(**{**initializer.get_config(), "side": "real"})(shape)[..., 0]
    largest = np.nan_to_num(np.abs(scaled_window).max())  # zeros, scaled by their sum, are NaN
    return (2 * np.pi * shape[0] + 8) * np.finfo("float32").eps * largest


def main():
    table = list(rows())
    model = build(table)
    with tempfile.TemporaryDirectory() as folder:
        weights = fresh_weights(model, pathlib.Path(folder))
    failed = 0
    for number, (shape, initializer) in enumerate(table):
        expected = model.get_layer(f"row{number}").get_weights()[0]
        [name] = [name for name in weights if name.startswith(f"row{number}/")]
        bound = tolerance(shape, initializer)
        if not np.allclose(weights[name], expected, rtol=0, atol=bound, equal_nan=True):
            failed += 1
            error = np.abs(weights[name] - expected).max()
            print(f"{initializer.get_config()} of {shape}: off by {error:.3g}, more than {bound:.3g}")
    print(f"{len(table) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
