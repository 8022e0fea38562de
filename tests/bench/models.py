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


def cnn():
    return [
        keras.Input((28, 28, 1), name="image"),
        keras.layers.Conv2D(32, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(128, "relu"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(10, "softmax"),
    ]


WORDS = 5000


def lstm():
    return [
        keras.Input((100,), dtype="int32", name="tokens"),
        keras.layers.Embedding(WORDS, 64),
        keras.layers.LSTM(128),
        keras.layers.Dense(2, "softmax"),
    ]


MODELS = {"digits": digits, "mlp": mlp, "cnn": cnn, "lstm": lstm}


def build(name):
    model = keras.Sequential(MODELS[name](), name=name)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile="auto")
    return model


def batch(model, size):
    rng = np.random.default_rng(0)
    shape = (size, *model.input_shape[1:])
    if model.inputs[0].dtype == "int32":
        x = rng.integers(0, WORDS, shape).astype(np.int32)
    else:
        x = rng.random(shape, np.float32)
    return x, rng.integers(0, model.output_shape[-1], size).astype(np.int32)


def signature(model, size):
    """As --signature takes it: image:f32[32,28,28,1]."""
    value = model.inputs[0]
    kind = {"float32": "f32", "int32": "i32"}[value.dtype]
    return f"{value.name}:{kind}[{','.join(map(str, (size, *value.shape[1:])))}]"
