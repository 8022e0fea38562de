"""The models that are timed, as tables of layers that each framework builds in its own words.

A row is a layer: its kind, then its arguments. ("branch", rows, rows) runs both on the same input
and concatenates what they give. Keras's form is built here; PyTorch's and JAX's are in
torch_models.py and jax_models.py. Keras is imported with the caller's choice of backend.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Model:
    shape: tuple  # of one sample
    rows: tuple
    loss: str
    words: int = 0  # tokens are below this; 0: the input is numbers
    name: str = "image"  # of the input


CLASSES, BINARY, SQUARES = "sparse_categorical_crossentropy", "binary_crossentropy", "mse"


def block(units):
    return ("dense", units, "linear"), ("batch_norm",), ("relu",)


def autoencoder(inputs, width, code, depth):
    """The anomaly detector of MLPerf Tiny."""
    rows = (*block(width) * depth, *block(code), *block(width) * depth, ("dense", inputs, "linear"))
    return Model((inputs,), rows, SQUARES)


MODELS = {
    "digits": Model((64,), (("dense", 32, "relu"), ("dense", 10, "softmax")), CLASSES),
    "mlp": Model(
        (28, 28),
        (("flatten",), ("dense", 128, "relu"), ("dropout", 0.2), ("dense", 10, "softmax")),
        CLASSES,
    ),
    "cnn": Model(
        (28, 28, 1),
        (
            ("conv", 32, 3, "relu"), ("pool",), ("conv", 64, 3, "relu"), ("pool",), ("flatten",),
            ("dense", 128, "relu"), ("dropout", 0.2), ("dense", 10, "softmax"),
        ),
        CLASSES,
    ),
    "lstm": Model(
        (100,), (("embedding", 5000, 64), ("lstm", 128, False), ("dense", 1, "sigmoid")), BINARY, 5000, "tokens"
    ),
    "gru": Model(
        (64,), (("embedding", 96, 64), ("gru", 256, True), ("dense", 96, "softmax")), CLASSES, 96, "tokens"
    ),
    "autoencoder": autoencoder(640, 128, 8, 4),
}  # fmt: skip

# The same kinds of models with sizes that divide by nothing, layers in another order, branches: what
# is fast must not be one model. PARENT-what.
VARIANTS = {
    "digits-prime": Model((61,), (("dense", 37, "relu"), ("dense", 11, "softmax")), CLASSES),
    "mlp-prime": Model(
        (29, 31),
        (("flatten",), ("dense", 131, "relu"), ("dropout", 0.2), ("dense", 13, "softmax")),
        CLASSES,
    ),
    "mlp-reordered": Model(
        (28, 28),
        (("dropout", 0.2), ("flatten",), ("dense", 128, "linear"), ("relu",), ("dense", 10, "softmax")),
        CLASSES,
    ),
    "mlp-branched": Model(
        (28, 28),
        (
            ("flatten",), ("branch", (("dense", 64, "relu"),), (("dense", 64, "tanh"),)),
            ("dropout", 0.2), ("dense", 10, "softmax"),
        ),
        CLASSES,
    ),
    "cnn-prime": Model(
        (29, 31, 1),
        (
            ("conv", 31, 3, "relu"), ("pool",), ("conv", 67, 3, "relu"), ("pool",), ("flatten",),
            ("dense", 127, "relu"), ("dropout", 0.2), ("dense", 11, "softmax"),
        ),
        CLASSES,
    ),
    "cnn-reordered": Model(
        (28, 28, 1),
        (
            ("conv", 32, 3, "linear"), ("pool",), ("relu",), ("dropout", 0.2), ("conv", 64, 3, "linear"),
            ("pool",), ("relu",), ("flatten",), ("dense", 128, "relu"), ("dense", 10, "softmax"),
        ),
        CLASSES,
    ),
    "cnn-branched": Model(
        (28, 28, 1),
        (
            ("branch", (("conv", 16, 3, "relu"), ("pool",)), (("pool",), ("conv", 16, 2, "relu"))),
            ("conv", 64, 3, "relu"), ("pool",), ("flatten",), ("dense", 128, "relu"),
            ("dropout", 0.2), ("dense", 10, "softmax"),
        ),
        CLASSES,
    ),
    "lstm-prime": Model(
        (97,), (("embedding", 4999, 61), ("lstm", 127, False), ("dense", 1, "sigmoid")), BINARY, 4999, "tokens"
    ),
    "gru-prime": Model(
        (61,), (("embedding", 97, 67), ("gru", 251, True), ("dense", 97, "softmax")), CLASSES, 97, "tokens"
    ),
    "autoencoder-prime": autoencoder(641, 127, 7, 4),
    "autoencoder-reordered": Model(
        (640,),
        (
            *((("dense", 128, "relu"), ("batch_norm",)) * 4), ("dense", 8, "relu"), ("batch_norm",),
            *((("dense", 128, "relu"), ("batch_norm",)) * 4), ("dense", 640, "linear"),
        ),
        SQUARES,
    ),
}  # fmt: skip


def find(name):
    return MODELS.get(name) or VARIANTS[name]


def keras_layer(keras, kind, *given):
    layers = keras.layers
    if kind == "branch":
        return lambda x: layers.Concatenate()([apply(keras, rows, x) for rows in given])
    if kind == "conv":
        filters, window, activation = given
        return layers.Conv2D(filters, window, activation=activation)
    if kind in ("lstm", "gru"):
        units, sequences = given
        return {"lstm": layers.LSTM, "gru": layers.GRU}[kind](units, return_sequences=sequences)
    return {
        "batch_norm": layers.BatchNormalization,
        "dense": layers.Dense,
        "dropout": layers.Dropout,
        "embedding": layers.Embedding,
        "flatten": layers.Flatten,
        "pool": layers.MaxPooling2D,
        "relu": layers.ReLU,
    }[kind](*given)


def apply(keras, rows, x):
    for row in rows:
        x = keras_layer(keras, *row)(x)
    return x


def build(name):
    import keras

    model = find(name)
    x = keras.Input(model.shape, dtype="int32" if model.words else "float32", name=model.name)
    built = keras.Model(x, apply(keras, model.rows, x), name=name.replace("-", "_"))
    built.compile("adam", model.loss, jit_compile="auto")
    return built


def batch(built, size):
    """Random inputs and what the model's loss takes as targets."""
    rng = np.random.default_rng(0)
    shape = (size, *built.input_shape[1:])
    if built.inputs[0].dtype == "int32":
        layer = next(layer for layer in built.layers if hasattr(layer, "input_dim"))
        x = rng.integers(0, layer.input_dim, shape).astype(np.int32)
    else:
        x = rng.random(shape, np.float32)
    output = (size, *built.output_shape[1:])
    if built.loss == CLASSES:
        return x, rng.integers(0, output[-1], output[:-1]).astype(np.int32)
    if built.loss == BINARY:
        return x, rng.integers(0, 2, output).astype(np.float32)
    return x, rng.random(output, np.float32)


def signature(built, size):
    """As --signature takes it: image:f32[32,28,28,1]."""
    kinds = {"float32": "f32", "int32": "i32"}
    return " ".join(
        f"{value.name}:{kinds[value.dtype]}[{','.join(map(str, (size, *value.shape[1:])))}]"
        for value in built.inputs
    )
