"""Writes expected.json: what Keras makes of small models, for tests/numeric/training.cpp.

    python generate.py > expected.json     (Keras 3 on TensorFlow)

Each case compiles a model with some settings, fits it for one epoch of five batches, the last one
smaller, without shuffling, and evaluates it; all in float64. Weights and data are made by formula,
here and in the test, so that only results need keeping.
"""

import json
import math
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np
from keras import losses, metrics, optimizers
from keras.optimizers import schedules

INPUTS, HIDDEN, SAMPLES, BATCH = 3, 4, 28, 6


def numbers(shape, seed):
    """Numbers between -1 and 1 that the test makes in the same way."""
    count = math.prod(shape)
    return np.sin(np.arange(count) * 12.9898 + seed).reshape(shape)


def head(inputs, kind, index, units):
    """The last layer of one output. `reshaped` hides the logits from the loss."""
    activation = kind.split("_")[0]
    name = f"head_{index}"
    if not kind.endswith("_reshaped"):
        return keras.layers.Dense(units, activation, name=name)(inputs)
    hidden = keras.layers.Dense(units, activation)(inputs)
    return keras.layers.Reshape((units,), name=name)(hidden)


def make_model(heads):
    inputs = keras.Input((INPUTS,), name="x")
    hidden = keras.layers.Dense(HIDDEN, "tanh", name="hidden")(inputs)
    outputs = [head(hidden, kind, i, units) for i, (kind, units, _) in enumerate(heads)]
    model = keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])
    model.set_weights([numbers(w.shape, i) for i, w in enumerate(model.weights)])
    return model


def make_target(kind, units, seed):
    if kind == "classes":
        return np.arange(SAMPLES) * 7 % units
    values = numbers((SAMPLES, units), seed)
    if kind == "one_hot":
        return np.eye(units)[np.arange(SAMPLES) * 7 % units]
    return (values > 0) * 1.0 if kind == "binary" else values


def attribute(value):
    """A value of JSON as a front end mirrors it in an MLIR attribute."""
    if value is None:
        return "unit"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value} : i64"
    if isinstance(value, float):
        return f"0x{np.float64(value).view(np.uint64):016X} : f64"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(attribute, value)) + "]"
    return "{" + ", ".join(f"{key} = {attribute(value[key])}" for key in sorted(value)) + "}"


def run(name, heads, optimizer=None, **settings):
    model = make_model(heads)
    model.compile(optimizer or optimizers.SGD(0.1), **settings)
    config = json.loads(json.dumps(model.get_compile_config()))
    x = numbers((SAMPLES, INPUTS), 100)
    y = [make_target(kind, units, 200 + i) for i, (_, units, kind) in enumerate(heads)]
    y = y if len(y) > 1 else y[0]
    history = model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0).history
    return {
        "name": name,
        "heads": [{"kind": k, "units": u, "target": t} for k, u, t in heads],
        "training": attribute(config),
        "fit": {key: values[0] for key, values in history.items()},
        "evaluate": model.evaluate(x, y, batch_size=BATCH, verbose=0, return_dict=True),
        "weights": [w.numpy().flatten().tolist() for w in model.weights],
        "optimizer": [v.numpy().flatten().tolist() for v in model.optimizer.variables],
    }


def loss_cases():
    softmax, sigmoid, linear = "softmax", "sigmoid", "linear"
    sparse = losses.SparseCategoricalCrossentropy
    one_hot, binary = losses.CategoricalCrossentropy, losses.BinaryCrossentropy
    rows = [
        ("sparse_of_softmax", (softmax, 3, "classes"), "sparse_categorical_crossentropy"),
        ("sparse_from_logits", (linear, 3, "classes"), sparse(from_logits=True)),
        ("sparse_of_probabilities", ("softmax_reshaped", 3, "classes"), sparse()),
        ("categorical_of_softmax", (softmax, 3, "one_hot"), "categorical_crossentropy"),
        ("categorical_from_logits", (linear, 3, "one_hot"), one_hot(from_logits=True)),
        ("categorical_of_probabilities", ("softmax_reshaped", 3, "one_hot"), one_hot()),
        ("categorical_of_sigmoid", (sigmoid, 3, "one_hot"), one_hot()),
        ("categorical_smoothed", (softmax, 3, "one_hot"), one_hot(label_smoothing=0.1)),
        ("binary_of_sigmoid", (sigmoid, 1, "binary"), "binary_crossentropy"),
        ("binary_of_several", (sigmoid, 3, "binary"), "bce"),
        ("binary_from_logits", (linear, 2, "binary"), binary(from_logits=True)),
        ("binary_of_probabilities", ("sigmoid_reshaped", 2, "binary"), binary()),
        ("binary_smoothed", (sigmoid, 2, "binary"), binary(label_smoothing=0.2)),
        ("squared_error", (linear, 2, "values"), "mse"),
        ("sum_of_squared_errors", (linear, 2, "values"), losses.MeanSquaredError("sum")),
        ("function", (linear, 2, "values"), losses.mean_squared_error),
    ]
    for name, head, loss in rows:
        yield run(f"loss_{name}", [head], loss=loss)


def metric_cases():
    rows = [
        ("sparse", ("softmax", 3, "classes"), "sparse_categorical_crossentropy",
         ["accuracy", "acc", metrics.SparseCategoricalAccuracy(name="named"),
          metrics.SparseCategoricalCrossentropy()]),
        ("categorical", ("softmax", 3, "one_hot"), "categorical_crossentropy",
         ["accuracy", "categorical_accuracy", "mae", metrics.CategoricalCrossentropy()]),
        ("binary", ("sigmoid", 1, "binary"), "binary_crossentropy",
         ["accuracy", metrics.BinaryAccuracy(threshold=0.6), "mse", metrics.BinaryCrossentropy()]),
        ("several_binary", ("sigmoid", 3, "binary"), "binary_crossentropy",
         ["binary_accuracy", metrics.binary_accuracy, metrics.Accuracy()]),
        ("values", ("linear", 2, "values"), "mse",
         ["mae", "MAE", "mean_squared_error", metrics.MeanAbsoluteError()]),
        ("twice", ("softmax", 3, "classes"), "sparse_categorical_crossentropy",
         ["accuracy", "accuracy"]),
        ("index_of_one_number", ("sigmoid", 1, "binary"), "mse", ["acc"]),
    ]  # fmt: skip
    for name, head, loss, shown in rows:
        yield run(f"metric_{name}", [head], loss=loss, metrics=shown)


def output_cases():
    two = [("softmax", 3, "classes"), ("linear", 2, "values")]
    crossentropy = "sparse_categorical_crossentropy"
    yield run("outputs_list", two, loss=[crossentropy, "mse"], metrics=["acc", "mae"])
    yield run(
        "outputs_weighted",
        two,
        loss={"head_0": crossentropy, "head_1": "mse"},
        loss_weights={"head_0": 0.25, "head_1": 2.0},
        metrics={"head_1": ["mae", "mse"]},
        weighted_metrics={"head_1": "mae"},
    )
    yield run("outputs_one_unused", two, loss=[crossentropy, None], optimizer=optimizers.Adam(0.1))
    yield run("outputs_one_loss", [("linear", 2, "values")] * 2, loss="mse")


def optimizer_cases():
    cases = {
        "momentum": optimizers.SGD(0.1, momentum=0.9),
        "nesterov": optimizers.SGD(0.1, momentum=0.8, nesterov=True),
        "adam": optimizers.Adam(0.01),
        "adam_settings": optimizers.Adam(0.05, beta_1=0.7, beta_2=0.99, epsilon=1e-3),
        "adam_without_momentum": optimizers.Adam(0.05, beta_1=0.0),
        "amsgrad": optimizers.Adam(0.05, amsgrad=True),
    }
    for name, optimizer in cases.items():
        yield run(f"optimizer_{name}", [("linear", 2, "values")], optimizer, loss="mse")


def schedule_cases():
    cases = {
        "exponential": schedules.ExponentialDecay(0.1, 2, 0.5),
        "exponential_staircase": schedules.ExponentialDecay(0.1, 2, 0.5, staircase=True),
        "piecewise": schedules.PiecewiseConstantDecay([1, 2.5], [0.3, 0.2, 0.1]),
        "polynomial": schedules.PolynomialDecay(0.2, 3, 0.01, power=2.0),
        "polynomial_cycle": schedules.PolynomialDecay(0.2, 2, 0.01, power=0.5, cycle=True),
        "inverse_time": schedules.InverseTimeDecay(0.2, 3, 0.5),
        "inverse_time_staircase": schedules.InverseTimeDecay(0.2, 2, 0.5, staircase=True),
        "cosine": schedules.CosineDecay(0.2, 4, alpha=0.1),
        "cosine_warmup": schedules.CosineDecay(0.0, 4, warmup_target=0.2, warmup_steps=2),
        "restarts": schedules.CosineDecayRestarts(0.2, 1, m_mul=0.5, alpha=0.1),
        "restarts_even": schedules.CosineDecayRestarts(0.2, 2, t_mul=1.0, m_mul=0.9),
        "restarts_tripled": schedules.CosineDecayRestarts(0.2, 1, t_mul=3.0),
    }
    for name, schedule in cases.items():
        optimizer = optimizers.Adam(schedule) if name == "cosine" else optimizers.SGD(schedule)
        yield run(f"schedule_{name}", [("linear", 2, "values")], optimizer, loss="mse")


def main():
    keras.config.set_floatx("float64")
    cases = [loss_cases, metric_cases, output_cases, optimizer_cases, schedule_cases]
    rows = [json.dumps(row) for make in cases for row in make()]
    sys.stdout.write("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
