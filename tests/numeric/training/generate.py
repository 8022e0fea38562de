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
import tensorflow as tf
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


def huber(delta):
    """A loss whose configuration says its delta, which Keras leaves out."""
    loss = losses.Huber(delta)
    loss.get_config = lambda: {**losses.Loss.get_config(loss), "delta": delta}
    return loss


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
        ("sparse_ignoring", (softmax, 3, "classes"), sparse(ignore_class=1)),
        ("sparse_sum_ignoring", (linear, 3, "classes"),
         sparse(from_logits=True, ignore_class=2, reduction="sum")),
        ("absolute_error", (linear, 2, "values"), "mae"),
        ("percentage_error", (linear, 2, "values"), "mape"),
        ("logarithmic_error", (sigmoid, 2, "binary"), "msle"),
        ("huber", (linear, 2, "values"), "huber"),
        ("huber_of_small_delta", (linear, 2, "values"), huber(0.3)),
        ("log_cosh", (linear, 2, "values"), losses.LogCosh()),
        ("poisson", (sigmoid, 2, "binary"), "poisson"),
        ("hinge", (linear, 2, "values"), "hinge"),
        ("hinge_of_binary", (linear, 2, "binary"), "hinge"),
        ("squared_hinge", (linear, 2, "binary"), "squared_hinge"),
        ("categorical_hinge", (linear, 3, "one_hot"), "categorical_hinge"),
        ("cosine_similarity", (linear, 3, "values"), "cosine_similarity"),
        ("kl_divergence", (softmax, 3, "one_hot"), "kl_divergence"),
        ("binary_focal", (sigmoid, 2, "binary"), losses.BinaryFocalCrossentropy()),
        ("binary_focal_from_logits", (linear, 2, "binary"),
         losses.BinaryFocalCrossentropy(from_logits=True, label_smoothing=0.1)),
        ("binary_focal_balanced", ("sigmoid_reshaped", 2, "binary"),
         losses.BinaryFocalCrossentropy(apply_class_balancing=True, alpha=0.3, gamma=1.5)),
        ("categorical_focal", (softmax, 3, "one_hot"), losses.CategoricalFocalCrossentropy()),
        ("categorical_focal_from_logits", (linear, 3, "one_hot"),
         losses.CategoricalFocalCrossentropy(
             alpha=0.5, gamma=1.5, from_logits=True, label_smoothing=0.1)),
        ("dice", (sigmoid, 3, "binary"), losses.Dice()),
        ("dice_of_samples", (sigmoid, 3, "binary"), losses.Dice(axis=-1)),
        ("tversky", (sigmoid, 3, "binary"), losses.Tversky(alpha=0.3, beta=0.8)),
        ("tversky_of_classes", (sigmoid, 3, "binary"), losses.Tversky(axis=[0])),
    ]  # fmt: skip
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
        ("errors", ("linear", 2, "values"), "mse",
         ["mape", metrics.RootMeanSquaredError(), metrics.CosineSimilarity(),
          metrics.LogCoshError(), metrics.R2Score(), metrics.R2Score(
              "variance_weighted_average", name="weighted")]),
        ("logarithmic", ("sigmoid", 2, "binary"), "mse", ["msle", metrics.Poisson()]),
        ("hinges", ("linear", 3, "one_hot"), "mse",
         [metrics.Hinge(), metrics.SquaredHinge(), metrics.CategoricalHinge()]),
        ("distributions", ("softmax", 3, "one_hot"), "categorical_crossentropy",
         [metrics.KLDivergence(), metrics.TopKCategoricalAccuracy(k=2),
          metrics.OneHotIoU(3, [0, 2]), metrics.OneHotMeanIoU(3, ignore_class=1),
          metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False, name="mean")]),
        ("classes", ("softmax", 3, "classes"), "sparse_categorical_crossentropy",
         [metrics.SparseTopKCategoricalAccuracy(k=2), metrics.MeanIoU(3, sparse_y_pred=False),
          metrics.IoU(3, [1], sparse_y_pred=False)]),
        ("counts", ("sigmoid", 3, "binary"), "binary_crossentropy",
         [metrics.TruePositives(), metrics.TrueNegatives(), metrics.FalsePositives(),
          metrics.FalseNegatives(thresholds=0.4), metrics.BinaryIoU(threshold=0.45)]),
        ("precision", ("sigmoid", 3, "binary"), "binary_crossentropy",
         [metrics.Precision(), metrics.Recall(thresholds=0.3), metrics.Recall(class_id=1, name="of_one"),
          metrics.Precision(top_k=2, name="of_top"), metrics.Recall(top_k=1, class_id=2, name="both")]),
        ("at", ("sigmoid", 3, "binary"), "binary_crossentropy",
         [metrics.SensitivityAtSpecificity(0.5), metrics.SpecificityAtSensitivity(0.5, 17),
          metrics.PrecisionAtRecall(0.7, class_id=1), metrics.RecallAtPrecision(0.4)]),
        ("auc", ("sigmoid", 3, "binary"), "binary_crossentropy",
         [metrics.AUC(), metrics.AUC(curve="PR", name="pr"), metrics.AUC(curve="PRGAIN", name="gain"),
          metrics.AUC(curve="PR", summation_method="minoring", name="minor"),
          metrics.AUC(num_thresholds=11, summation_method="majoring", name="major"),
          metrics.AUC(thresholds=[0.3, 0.31, 0.6], name="given")]),
        ("auc_from_logits", ("linear", 1, "binary"), losses.BinaryCrossentropy(from_logits=True),
         [metrics.AUC(from_logits=True), metrics.AUC(label_weights=[2.0], name="weighted")]),
        ("f_scores", ("sigmoid", 3, "binary"), "binary_crossentropy",
         [metrics.F1Score("macro"), metrics.F1Score("micro", threshold=0.4, name="micro"),
          metrics.FBetaScore("weighted", beta=0.5)]),
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
        "adamw": optimizers.AdamW(0.05, weight_decay=0.1),
        "adamw_by_default": optimizers.AdamW(0.05),
        "rmsprop": optimizers.RMSprop(0.01),
        "rmsprop_centered": optimizers.RMSprop(0.01, rho=0.8, epsilon=1e-3, centered=True),
        "rmsprop_momentum": optimizers.RMSprop(0.01, momentum=0.5),
        "rmsprop_all": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        "adagrad": optimizers.Adagrad(0.1),
        "adagrad_settings": optimizers.Adagrad(0.1, initial_accumulator_value=0.5, epsilon=1e-2),
        "adadelta": optimizers.Adadelta(1.0),
        "adadelta_settings": optimizers.Adadelta(1.0, rho=0.5, epsilon=1e-3),
        "adamax": optimizers.Adamax(0.05),
        "adamax_settings": optimizers.Adamax(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3),
        "nadam": optimizers.Nadam(0.05),
        "nadam_settings": optimizers.Nadam(0.05, beta_1=0.7, beta_2=0.9, epsilon=1e-3),
        "ftrl": optimizers.Ftrl(0.1),
        "ftrl_settings": optimizers.Ftrl(
            0.1,
            learning_rate_power=-0.7,
            initial_accumulator_value=0.5,
            l1_regularization_strength=0.01,
            l2_regularization_strength=0.02,
            l2_shrinkage_regularization_strength=0.03,
            beta=0.1,
        ),
        "lion": optimizers.Lion(0.01),
        "lion_settings": optimizers.Lion(0.01, beta_1=0.5, beta_2=0.7),
    }
    for name, optimizer in cases.items():
        yield run(f"optimizer_{name}", [("linear", 2, "values")], optimizer, loss="mse")


def optimizer_setting_cases():
    """What Keras has around every optimizer; five steps, of which three make two whole ones."""
    adam, sgd, schedule = optimizers.Adam, optimizers.SGD, schedules.ExponentialDecay(0.1, 2, 0.5)
    cases = {
        "clipnorm": sgd(0.1, clipnorm=0.1),
        "clipnorm_of_some": sgd(0.1, clipnorm=0.6),
        "global_clipnorm": sgd(0.1, global_clipnorm=0.5),
        "global_clipnorm_unreached": sgd(0.1, global_clipnorm=1e3),
        "clipvalue": adam(0.1, clipvalue=0.05),
        "weight_decay": sgd(0.1, momentum=0.9, weight_decay=0.2),
        "weight_decay_by_schedule": adam(schedule, weight_decay=0.2),
        "ema": adam(0.1, use_ema=True, ema_momentum=0.7),
        "ema_overwriting": sgd(0.1, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2),
        "loss_scale": adam(0.1, epsilon=0.1, loss_scale_factor=256.0),
        "accumulation": adam(0.1, gradient_accumulation_steps=2),
        "accumulation_by_schedule": sgd(schedule, momentum=0.9, gradient_accumulation_steps=2),
        "accumulation_of_nadam": optimizers.Nadam(0.1, gradient_accumulation_steps=2),
        "everything": optimizers.Nadam(
            schedule,
            weight_decay=0.1,
            global_clipnorm=0.5,
            use_ema=True,
            ema_overwrite_frequency=2,
            gradient_accumulation_steps=2,
            loss_scale_factor=3.0,
        ),
    }
    for name, optimizer in cases.items():
        yield run(f"optimizer_{name}", [("linear", 2, "values")], optimizer, loss="mse")
    two = [("softmax", 3, "classes"), ("linear", 2, "values")]
    loss = ["sparse_categorical_crossentropy", None]
    for rule in (sgd(0.1, weight_decay=0.5, use_ema=True, clipnorm=1.0), optimizers.Ftrl(0.1)):
        yield run(f"outputs_one_unused_{rule.name}", two, rule, loss=loss)


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


def in_top_k_of_doubles():
    """TensorFlow's op takes float32 only; the outputs here are far enough apart for that."""
    original = tf.math.in_top_k
    tf.math.in_top_k = lambda targets, predictions, k: original(targets, tf.cast(predictions, tf.float32), k)


def main():
    in_top_k_of_doubles()
    keras.config.set_floatx("float64")
    cases = [loss_cases, metric_cases, output_cases, optimizer_cases, optimizer_setting_cases, schedule_cases]
    rows = [json.dumps(row) for make in cases for row in make()]
    sys.stdout.write("[\n" + ",\n".join(rows) + "\n]\n")


if __name__ == "__main__":
    main()
