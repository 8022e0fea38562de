"""The models that are timed, as Keras models. Keras is imported by the caller's choice of backend."""

import keras
import numpy as np


def digits():
    return [keras.Input((64,), name="image"), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")]


def mlp():
    return [
        keras.Input((28, 28), name="image"),
        keras.layers.Flatten(),
        keras.layers.Dense(128, "relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, "softmax"),
    ]


MODELS = {"digits": digits, "mlp": mlp}


def build(name):
    model = keras.Sequential(MODELS[name](), name=name)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile="auto")
    return model


def batch(model, size):
    rng = np.random.default_rng(0)
    x = rng.random((size, *model.input_shape[1:]), np.float32)
    return x, rng.integers(0, model.output_shape[-1], size).astype(np.int32)
