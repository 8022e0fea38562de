"""What layers and metrics are set to: penalties of outputs, frozen layers, metrics that are several
numbers. Whole runs against Keras: weights, losses and metrics, those of validation data too.
"""

import json
import sys

import keras
import numpy as np
import weighted
from cases import run_cases
from keras import layers, metrics, regularizers
from weighted import BATCH, COUNT, Run


def penalized(rng):
    """A layer that is called twice adds two penalties; a frozen one adds its output's still."""
    inputs = keras.Input((6, 4), name="x")
    shared = layers.Dense(4, "tanh", activity_regularizer=regularizers.L1L2(0.02, 0.03), name="shared")
    hidden = layers.LSTM(5, activity_regularizer="l2", return_sequences=True)(shared(shared(inputs)))
    hidden = layers.ActivityRegularization(l1=0.04)(layers.Conv1D(3, 2, activity_regularizer="l1")(hidden))
    frozen = layers.Dense(4, activity_regularizer=regularizers.L2(0.5), kernel_regularizer="l2", trainable=False)
    hidden = frozen(layers.Flatten()(layers.Dropout(0.0)(hidden)))
    hidden = layers.BatchNormalization(activity_regularizer=regularizers.L1(0.1))(hidden)
    model = keras.Model(inputs, layers.Dense(2, name="out", activity_regularizer="l2", kernel_regularizer="l1")(hidden))
    model.compile("adam", "mse", metrics=["mae"])
    return model, {"x": rng.normal(size=(COUNT, 6, 4)), "out": rng.normal(size=(COUNT, 2))}, {}


def penalized_input(rng):
    """Of the input itself, inside a model inside the model."""
    z = keras.Input((5,), name="z")
    inner = keras.Model(z, layers.Dense(3)(layers.ActivityRegularization(l1=0.1, l2=0.2)(z)), name="inner")
    inputs = keras.Input((5,), name="x")
    model = keras.Model(inputs, layers.Dense(2, "softmax", name="out")(inner(layers.Dense(5)(inputs))))
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model, {"x": rng.normal(size=(COUNT, 5)), "out": rng.integers(0, 2, COUNT)}, {}


def penalized_parts(rng):
    """Attention regularizes each of its projections; a TimeDistributed only what is in a model."""
    inputs = keras.Input((3, 4), name="x")
    attention = layers.MultiHeadAttention(2, 3, value_dim=2, activity_regularizer=regularizers.L1L2(0.02, 0.03))
    hidden, scores = attention(inputs, layers.Dense(4)(inputs), return_attention_scores=True)
    stack = [layers.Dense(4, "tanh", activity_regularizer="l2"), layers.BatchNormalization(activity_regularizer="l1")]
    hidden = layers.TimeDistributed(keras.Sequential([keras.Input((4,)), *stack]))(hidden)
    hidden = layers.TimeDistributed(layers.Dense(4, activity_regularizer="l2"))(hidden)
    hidden = layers.TimeDistributed(layers.ActivityRegularization(l1=0.5))(hidden)
    hidden = layers.Bidirectional(layers.GRU(3, activity_regularizer=regularizers.L1(0.1)))(hidden)
    hidden = layers.Concatenate()([hidden, layers.Flatten()(scores)])
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    model.compile("adam", "mse")
    return model, {"x": rng.normal(size=(COUNT, 3, 4)), "out": rng.normal(size=(COUNT, 2))}, {}


def frozen(rng):
    """Frozen layers, a frozen BatchNormalization, and frozen models of both kinds, one made so inside."""
    z = keras.Input((6,), name="z")
    norm = layers.BatchNormalization()
    inner = keras.Model(z, norm(layers.Dense(6, "relu", kernel_regularizer="l2")(z)), name="inner")
    stack = keras.Sequential([keras.Input((6,)), layers.Dense(6, "tanh"), layers.BatchNormalization()], name="stack")
    partly = keras.Sequential([keras.Input((6,)), layers.Dense(6), layers.BatchNormalization()], name="partly")
    inputs = keras.Input((6,), name="x")
    hidden = layers.BatchNormalization(trainable=False)(layers.Dense(6)(inputs))
    hidden = layers.BatchNormalization()(partly(stack(inner(hidden))))
    model = keras.Model(inputs, layers.Dense(2, name="out")(hidden))
    for weight in [w for layer in (inner, stack, partly) for w in layer.weights if "moving" in w.path]:
        weight.assign(rng.uniform(0.5, 2, weight.shape))
    inner.trainable = False
    norm.trainable = True
    stack.trainable = False
    partly.layers[0].trainable = False
    model.compile("adam", "mse", metrics=["mae"])
    return model, {"x": rng.normal(size=(COUNT, 6)), "out": rng.normal(size=(COUNT, 2))}, {}


def several_numbers(rng):
    """A number for each class or threshold; also for thresholds that Keras counts in another way."""
    inputs = keras.Input((5,), name="x")
    model = keras.Model(inputs, layers.Dense(3, "sigmoid", name="out")(inputs))
    kinds = lambda: [metrics.F1Score(threshold=0.5), metrics.FBetaScore(beta=2.0), metrics.R2Score(None),
                     metrics.Precision([0.3, 0.6]), metrics.Recall([0.0, 0.5, 1.0]), metrics.Precision(0.4),
                     metrics.Recall([0.2, 0.4, 0.7], class_id=1)]  # fmt: skip
    model.compile("adam", "binary_crossentropy", metrics=kinds(), weighted_metrics=kinds())
    data = {"x": rng.normal(size=(COUNT, 5)), "out": rng.integers(0, 2, (COUNT, 3)).astype(float)}
    return model, data, {}


def trains_like_keras(folder, build):
    case = Run(folder, build)
    file = case.file("data.npz", case.data)
    inputs, targets = weighted.models.split(case.model, case.data)
    case.compare(case.train("--data", file, "--validation-split", 0.2), inputs, targets, validation_split=0.2)


def counts_like_keras(folder):
    """By evaluate: in its history Keras keeps the accumulators themselves, which later epochs change."""
    case = Run(folder, several_numbers)
    counts = [metrics.TruePositives([0.9, 0.1]), metrics.FalseNegatives([0.0, 0.25, 0.5, 0.75, 1.0])]
    case.model.compile("adam", "binary_crossentropy", metrics=counts)
    case.model.save(case.archive)
    file = case.file("data.npz", case.data)
    ours = json.loads(weighted.run(weighted.FORMWORK, "evaluate", case.archive, "--data", file, "--json"))
    inputs, targets = weighted.models.split(case.model, case.data)
    weighted.compare_values(ours, case.model.evaluate(inputs, targets, verbose=0, return_dict=True))


BUILDERS = (penalized, penalized_input, penalized_parts, frozen, several_numbers)
TESTS = {f"trains like Keras: {weighted.sentence(b)}": (trains_like_keras, b) for b in BUILDERS}
TESTS["counts at several thresholds are those of Keras"] = (counts_like_keras,)


if __name__ == "__main__":
    sys.exit(run_cases(TESTS, sys.argv[1:]))
