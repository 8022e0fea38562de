"""Layers on images and sequences of any size: predictions and steps against Keras.

    any_size.py [WORD ...]

The random models' inputs have one size but for the batch. These have none: a model is compiled once,
for one size, and others go through the `?` function. Float64; limits as in compare.py.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import compare
import keras
import numpy as np
import reference
from cases import Failure, run_cases
from keras import layers

CLASSES = 3


def images():
    x = given = keras.Input((None, None, 2), name="in0")
    x = layers.Conv2D(4, 3, padding="same", activation="tanh")(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.AveragePooling2D(3, strides=1, padding="same")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = layers.SeparableConv2D(5, 2, strides=2)(x)
    x = layers.UpSampling2D((2, 3))(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.Cropping2D(((0, 1), (1, 1)))(x)
    x = layers.MaxPooling2D(2, strides=1, padding="same")(x)
    return given, layers.GlobalAveragePooling2D()(x)


def sequences():
    x = given = keras.Input((None, 2), name="in0")
    x = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="tanh")(x)
    x = layers.AveragePooling1D(4, strides=1, padding="same")(x)
    x = layers.DepthwiseConv1D(3, strides=2)(x)
    x = layers.UpSampling1D(2)(x)
    x = layers.Conv1DTranspose(4, 2, strides=3)(x)
    x = layers.ZeroPadding1D((0, 2))(x)
    x = layers.MaxPooling1D(2)(x)
    return given, layers.GlobalMaxPooling1D()(x)


def masked():
    x = given = keras.Input((None, 2), name="in0")
    x = layers.Masking()(x)
    x, state = layers.SimpleRNN(5, return_sequences=True, return_state=True)(x)
    x = layers.MultiHeadAttention(2, 3)(x, x, use_causal_mask=True)
    x = layers.Bidirectional(layers.GRU(3, return_sequences=True))(x)
    x = layers.TimeDistributed(keras.Sequential([layers.Dense(4, "tanh"), layers.UnitNormalization()]))(x)
    x = layers.Concatenate()([x, layers.Masking()(given)])
    x = layers.LSTM(5, return_sequences=True, zero_output_for_mask=True)(x, initial_state=[state, state])
    return given, layers.GlobalAveragePooling1D()(x)


def build(make):
    keras.backend.clear_session()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    given, x = make()
    model = keras.Model(given, layers.Dense(CLASSES, activation="softmax")(x))
    reference.set_weights(model, 0)
    model.compile(
        keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", run_eagerly=True
    )
    return model


def agrees(folder, make, sizes):
    model = build(make)
    rng = np.random.default_rng(0)
    spec = {"inputs": [{"kind": "image", "shape": sizes[0][1:]}], "batch": sizes[0][0]}

    def draw(shape):
        x = rng.normal(size=shape)
        x[::2, 1] = 0  # what a Masking leaves out
        return [x], [rng.integers(0, CLASSES, shape[0]).astype(np.int32)]

    batches = [draw(shape) for shape in sizes]
    try:
        compiled = compare.compile_with_formwork(spec, model, "float64", folder)
        for shape in sizes:
            inputs, _ = draw(shape)
            ours, theirs = compiled.predict(*inputs), np.asarray(model(inputs[0], training=False))
            compare.check(f"prediction of {shape}", compare.error(*ours.values(), theirs), 1e-9)
        exact = compare.run_keras(model, "float64", batches[0][0], batches, folder)

        def run_again(nudge):
            return compare.run_keras(build(make), "float64", batches[0][0], batches, folder, nudge)

        compare.check_exact(compare.run_formwork(compiled, batches[0][0], batches), exact, run_again)
    except compare.Mismatch as mismatch:
        raise Failure(str(mismatch))


CASES = {
    "images of any size": (agrees, images, [(3, 7, 6, 2), (2, 4, 9, 2), (1, 8, 8, 2)]),
    "sequences of any length": (agrees, sequences, [(3, 9, 2), (1, 4, 2), (4, 16, 2)]),
    # The last is longer than a vector and no multiple of one.
    "masked sequences of any length": (agrees, masked, [(3, 5, 2), (1, 2, 2), (4, 19, 2)]),
}

if __name__ == "__main__":
    sys.exit(run_cases(CASES, sys.argv[1:]))
