"""Compares activations and their gradients with Keras's where formulas go wrong: at kinks and beside
them, at zeros of either sign, at numbers so large or small that a careless formula overflows or
cancels, at infinities and NaN.

Each row is a layer on top of an Embedding of its own, whose table holds the points; all rows are one
model. The squared error's targets are chosen such that the cotangents of the activations are known.
"""

import os
import pathlib
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from compare import compile_library
from keras_on_tensorflow import exact_gelu, exact_leaky_relu

KINKS = [0.5, 1.0, 2.0, 3.0, 6.0]
MAGNITUDES = [0.0, 1e-6, 1e-3, 0.3, 1.7, 5.0, 20.0, 80.0, 1e4, np.inf]

# Of a formula that subtracts nearly equal numbers, in Keras too, the error is in proportion to
# these: to the argument, or to 1.
CANCELS = {
    "tanh_shrink": 0, "squareplus": 0, "gelu": 0,
    "elu": 1, "ELU": 1, "selu": 1, "hard_sigmoid": 1, "hard_silu": 1, "hard_swish": 1,
    "softmax": 1, "log_softmax": 1, "sparsemax": 1,
}  # fmt: skip

NAMES = [
    "linear", "relu", "tanh", "sigmoid", "gelu", "celu", "elu", "exponential", "hard_shrink",
    "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "mish",
    "relu6", "selu", "silu", "swish", "soft_shrink", "softplus", "softsign", "sparse_plus",
    "sparse_sigmoid", "squareplus", "tanh_shrink",
]  # fmt: skip
OVER_AXES = ["softmax", "log_softmax", "glu", "sparsemax"]

LAYERS = {
    "ReLU": lambda: layers.ReLU(),
    "ReLU to 2": lambda: layers.ReLU(max_value=2.0),
    "ReLU to 6": lambda: layers.ReLU(max_value=6.0),
    "ReLU, slope": lambda: layers.ReLU(negative_slope=0.25),
    "ReLU from 1": lambda: layers.ReLU(threshold=1.0),
    "ReLU, slope, to 6": lambda: layers.ReLU(max_value=6.0, negative_slope=0.5),
    "ReLU, slope, from 1 to 3": lambda: layers.ReLU(max_value=3.0, negative_slope=0.5, threshold=1.0),
    "LeakyReLU": lambda: layers.LeakyReLU(),
    "LeakyReLU, flat": lambda: layers.LeakyReLU(negative_slope=0.0),
    "ELU": lambda: layers.ELU(alpha=0.5),
    "PReLU": lambda: layers.PReLU(alpha_initializer=keras.initializers.Constant(0.5)),
    "an object": lambda: layers.Activation(layers.LeakyReLU(negative_slope=0.5)),
}


def rows():
    """Name -> (layer, points)."""
    all_rows = {name: (layers.Activation(name), points()) for name in NAMES}
    all_rows |= {name: (make(), points()) for name, make in LAYERS.items()}
    all_rows |= {name: (layers.Activation(name), vectors()) for name in OVER_AXES}
    return all_rows


def points():
    beside = [np.nextafter(np.float32(k), np.float32(side)) for k in KINKS for side in (0, 9)]
    values = np.array([*MAGNITUDES, *KINKS, *beside])
    return np.concatenate([values, -values, [np.nan]]).astype(np.float32)[:, None]


def vectors():
    """Ties, a winner, more than one in sparsemax's support, large, small; repeated to as many as there
    are points, since all rows are one batch."""
    some = np.float32([
        [0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, -1, -1],
        [9, 0, 1, 2, 3, 4],
        [0.1, 0.2, 0.15, 0.3, 0.2, 0.1],
        [-0.4, 0.5, 0.3, 0.5, 0.45, -2],
        [1e4, 9999, -1e4, 0, 1, 2],
        [1e-6, 0, -1e-6, 1e-3, 1e-3, 0],
        [300, 300, 299, 0, 0, -80],
    ])  # fmt: skip
    return np.resize(some, (len(points()), 6))


def build(floatx):
    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    inputs, outputs, made = [], [], []
    for index, (name, (layer, table)) in enumerate(rows().items()):
        token = keras.Input((), dtype="int32", name=f"in{index}")
        embedding = layers.Embedding(*table.shape, name=f"points{index}")
        inputs.append(token)
        outputs.append(layer(embedding(token)))
        embedding.set_weights([table])
        made.append((name, layer, table.astype(floatx)))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", loss=["mse"] * len(outputs))
    return model, made


def keras_results(made, cotangents):
    """Values, and gradients for the cotangents, of each row."""
    results = []
    for (_, layer, table), cotangent in zip(made, cotangents):
        x = tf.constant(table)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        dx = tape.gradient(y, x, output_gradients=tf.constant(cotangent.astype(table.dtype)))
        results.append((y.numpy().astype(np.float64), dx.numpy().astype(np.float64)))
    return results


def our_results(model, made, cotangents, floatx, folder):
    archive = folder / f"{floatx}.keras"
    model.save(archive)
    compiled = compile_library(archive, folder / f"{floatx}.so")
    tokens = [np.arange(len(table), dtype=np.int32) for _, _, table in made]
    values = [np.array(v, np.float64) for v in compiled.predict(*tokens).values()]
    # The squared error's cotangent is 2 (y - target) / size.
    targets = [
        np.where(np.isfinite(y), y - c * y.size / 2, 0).astype(floatx) for y, c in zip(values, cotangents)
    ]
    gradients = compiled.gradients(*tokens, *targets)
    tables = [gradients[f"points{k}/embeddings"] for k in range(len(made))]
    # What the cotangents are after rounding.
    given = [2 * (y - t) / y.size for y, t in zip(values, targets)]
    return list(zip(values, [np.array(t, np.float64) for t in tables])), given


def draw_cotangents(made):
    """Ones; for the functions of several numbers others, whose effects do not cancel."""
    rng = np.random.default_rng(5)
    shapes = [layer.compute_output_shape(table.shape) for _, layer, table in made]
    halves = [(s[0], s[1] // 2) if name == "glu" else s for (name, _, _), s in zip(made, shapes)]
    return [np.ones(s) if s[1] == 1 else rng.integers(1, 9, s) / 4 for s in halves]


def wrong(ours, theirs, exact, scale, unit):
    """Where ours is farther from float64 Keras than twice as far as Keras is in this precision, by
    more than the roundings of a formula of some ten operations on numbers of that scale."""
    with np.errstate(invalid="ignore"):
        allowed = 2 * np.abs(theirs - exact) + 16 * unit * scale + np.finfo(np.float32).tiny
        close = np.abs(ours - exact) <= allowed
    return ~(close | (ours == theirs) | (np.isnan(ours) & np.isnan(theirs)))


def wrong_values(name, ours, theirs, exact, table, unit):
    scale = np.abs(exact)
    if name in CANCELS:
        largest = np.max(np.abs(table), 1, keepdims=True)
        scale = np.maximum(scale, np.maximum(largest, CANCELS[name]))
    # At infinity some of TensorFlow's formulas are not numbers.
    unknown = np.isnan(theirs) & ~np.isnan(table).any(1, keepdims=True)
    return wrong(ours, theirs, exact, scale, unit) & ~unknown


def wrong_gradients(values, ours, theirs, exact, unit):
    """Slopes are made of values near 1, which are rounded; no cotangent goes with infinities."""
    finite = np.isfinite(values).all(1, keepdims=True)
    return wrong(ours, theirs, exact, np.maximum(np.abs(exact), 1), unit) & finite


def compare(floatx, exact, folder):
    """One result per row: what is wrong with it, or nothing."""
    model, made = build(floatx)
    cotangents = draw_cotangents(made)
    ours, given = our_results(model, made, cotangents, floatx, folder)
    theirs = keras_results(made, given)
    exact = keras_results([(n, e, t.astype(np.float64)) for n, e, t in exact], given)
    unit = np.finfo(floatx).eps
    for (name, _, table), mine, keras_s, reference in zip(made, ours, theirs, exact):
        bad = [
            wrong_values(name, mine[0], keras_s[0], reference[0], table, unit),
            wrong_gradients(mine[0], mine[1], keras_s[1], reference[1], unit),
        ]
        yield name, [
            f"{what} at {table[row]}: {mine[k][row]}, Keras {keras_s[k][row]}, exact {reference[k][row]}"
            for k, what in enumerate(("value", "gradient"))
            for row in np.flatnonzero(bad[k].any(1))
        ]


def main():
    exact_gelu()
    exact_leaky_relu()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for floatx in ("float64", "float32"):
            _, made = build("float64")
            for name, problems in compare(floatx, made, pathlib.Path(folder)):
                passed, failed = passed + (not problems), failed + bool(problems)
                for problem in problems:
                    print(f"{name} in {floatx}: {problem}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
