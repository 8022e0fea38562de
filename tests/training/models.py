"""Models that have nothing in common but being models, with data for each, all in float64.

In float64 two correct implementations differ by rounding alone, so that results can be held to 1e-7
of their norm after whole epochs.
"""

import keras
import numpy as np

layers = keras.layers


def digits(rng, count):
    inputs = keras.Input((64,), name="image")
    hidden = layers.Dense(32, "relu")(inputs)
    outputs = layers.Dense(10, "softmax", name="digit")(hidden)
    data = {"image": rng.normal(size=(count, 64)), "digit": rng.integers(0, 10, count)}
    return keras.Model(inputs, outputs, name="digits"), "sparse_categorical_crossentropy", data


def two_inputs(rng, count):
    left, right = keras.Input((7,), name="left"), keras.Input((3,), name="right")
    both = layers.Concatenate()([layers.Dense(8, "tanh")(left), right])
    hidden = layers.Dense(12, "relu")(layers.BatchNormalization()(both))
    outputs = layers.Dense(2, name="out")(layers.BatchNormalization()(hidden))
    data = {
        "left": rng.normal(size=(count, 7)),
        "right": rng.normal(size=(count, 3)),
        "out": rng.normal(size=(count, 2)),
    }
    return keras.Model([left, right], outputs, name="two_inputs"), "mse", data


def text(rng, count):
    inputs = keras.Input((6,), dtype="int32", name="tokens")
    hidden = layers.LSTM(9)(layers.Embedding(23, 5)(inputs))
    outputs = layers.Dense(1, "sigmoid", name="label")(hidden)
    data = {"tokens": rng.integers(0, 23, (count, 6)), "label": rng.integers(0, 2, (count, 1))}
    return keras.Model(inputs, outputs, name="text"), "binary_crossentropy", data


def images(rng, count):
    inputs = keras.Input((9, 8, 2), name="image")
    hidden = layers.MaxPooling2D()(layers.Conv2D(5, 3, padding="same", activation="relu")(inputs))
    hidden = layers.BatchNormalization()(layers.Conv2D(4, 2, strides=2, activation="tanh")(hidden))
    outputs = layers.Dense(3, "softmax", name="kind")(layers.GlobalAveragePooling2D()(hidden))
    data = {"image": rng.normal(size=(count, 9, 8, 2)), "kind": rng.integers(0, 3, count)}
    return keras.Model(inputs, outputs, name="images"), "sparse_categorical_crossentropy", data


def two_outputs(rng, count):
    """Two losses and metrics on a layer that both outputs share."""
    inputs = keras.Input((6,), name="features")
    shared = layers.LayerNormalization()(layers.Dense(9, "gelu")(inputs))
    size = layers.Dense(1, name="size")(shared)
    kind = layers.Dense(4, "softmax", name="kind")(layers.Dense(7, "relu")(shared))
    data = {
        "features": rng.normal(size=(count, 6)),
        "size": rng.normal(size=(count, 1)),
        "kind": rng.integers(0, 4, count),
    }
    losses = {"size": "mse", "kind": "sparse_categorical_crossentropy"}
    return keras.Model(inputs, [size, kind], name="two_outputs"), losses, data


def wide(rng, count):
    """Matrices so large that they lie in panels, read by examples, by sequences and in each step."""
    inputs = keras.Input((2, 256), name="pair")
    steps = layers.Dense(512, "relu")(inputs)
    hidden = layers.Dense(512, "tanh")(layers.Flatten()(steps))
    hidden = layers.Add()([hidden, layers.Dense(512)(hidden)])
    last, first = layers.LSTM(128)(steps), layers.GRU(160, go_backwards=True)(steps)
    outputs = layers.Dense(3, name="out")(layers.Concatenate()([hidden, last, first]))
    data = {"pair": rng.normal(size=(count, 2, 256)), "out": rng.normal(size=(count, 3))}
    return keras.Model(inputs, outputs, name="wide"), "mse", data


def dropped(rng, count):
    """As digits, but random: for what must be the same bits, not for comparing with Keras."""
    inputs = keras.Input((64,), name="image")
    hidden = layers.Dropout(0.3)(layers.Dense(32, "relu")(inputs))
    outputs = layers.Dense(10, "softmax", name="digit")(layers.Dropout(0.1)(hidden))
    data = {"image": rng.normal(size=(count, 64)), "digit": rng.integers(0, 10, count)}
    return keras.Model(inputs, outputs, name="dropped"), "sparse_categorical_crossentropy", data


MODELS = {f.__name__: f for f in (digits, two_inputs, text, images, two_outputs, wide, dropped)}


def build(name, count, floatx="float64"):
    """The compiled model and its data."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    model, loss, data = MODELS[name](np.random.default_rng(1), count)
    metric = lambda loss: ["mae"] if loss == "mse" else ["accuracy"]
    metrics = {n: metric(l) for n, l in loss.items()} if isinstance(loss, dict) else metric(loss)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=metrics)
    return model, data


def split(model, data):
    """The data as `fit` takes it: inputs, targets (several by the outputs' names)."""
    inputs = [data[tensor.name] for tensor in model.inputs]
    targets = {name: data[name] for name in model.output_names}
    if len(targets) == 1:
        (targets,) = targets.values()
    return inputs if len(inputs) > 1 else inputs[0], targets
