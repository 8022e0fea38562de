"""Weights of samples and of classes: what fit and evaluate make of them, against Keras.

Everything is float64 and a whole run of several steps, the last batch smaller, so that weights, losses
and metrics of both sides agree but for rounding.
"""

import json
import subprocess
import sys

import proof
from proof import COUNT, FORMWORK, check_close, run

import keras
import models
import numpy as np
from cases import Failure, run_cases
from keras import layers, losses, metrics

BATCH, EPOCHS = 32, 2


def weights_of(rng, *shape):
    """Some are 0, some are larger than 1."""
    return rng.integers(0, 4, shape) * rng.uniform(0.2, 1.0, shape)


# Each makes a compiled model and its inputs, targets and weights, by the names that files have.


def digits(rng, loss="sparse_categorical_crossentropy", **settings):
    model, _, data = models.digits(rng, COUNT)
    settings = settings or {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}
    model.compile("adam", loss, **settings)
    return model, data, {"sample_weight": weights_of(rng, COUNT)}


def as_a_column(rng):
    model, data, weights = digits(rng)
    return model, data, {"sample_weight": weights["sample_weight"][:, None]}


def an_ignored_class(rng):
    return digits(rng, losses.SparseCategoricalCrossentropy(ignore_class=3))


def a_mean_by_weight(rng):
    return digits(rng, losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight"))


def a_mean_by_weight_without_a_class(rng):
    loss = losses.SparseCategoricalCrossentropy(reduction="mean_with_sample_weight", ignore_class=3)
    return digits(rng, loss)


def a_sum(rng):
    return digits(rng, losses.SparseCategoricalCrossentropy(reduction="sum"))


def a_loss_of_the_whole_batch(rng):
    inputs = keras.Input((5,), name="x")
    model = keras.Model(inputs, layers.Dense(3, "sigmoid", name="out")(inputs))
    model.compile("adam", losses.Dice())
    data = {"x": rng.normal(size=(COUNT, 5)), "out": rng.integers(0, 2, (COUNT, 3))}
    return model, data, {"sample_weight": weights_of(rng, COUNT)}


def numbers(rng):
    model, loss, data = models.two_inputs(rng, COUNT)
    kinds = lambda: ["mae", metrics.RootMeanSquaredError(), metrics.CosineSimilarity(), metrics.R2Score()]
    model.compile("adam", loss, metrics=kinds(), weighted_metrics=kinds())
    return model, data, {"out_sample_weight": weights_of(rng, COUNT)}


def labels(rng):
    inputs = keras.Input((5,), name="x")
    model = keras.Model(inputs, layers.Dense(3, "sigmoid", name="out")(inputs))
    kinds = [metrics.Precision(), metrics.Recall(top_k=2), metrics.AUC(num_thresholds=20),
             metrics.FalsePositives(thresholds=0.4), metrics.F1Score("macro", threshold=0.5)]  # fmt: skip
    model.compile("adam", "binary_crossentropy", weighted_metrics=kinds)
    data = {"x": rng.normal(size=(COUNT, 5)), "out": rng.integers(0, 2, (COUNT, 3))}
    return model, data, {"sample_weight": weights_of(rng, COUNT)}


def one_array_for_two_outputs(rng):
    model, loss, data = models.two_outputs(rng, COUNT)
    kinds = lambda: {"size": ["mae"], "kind": ["accuracy"]}
    model.compile("adam", loss, loss_weights={"size": 0.3, "kind": 1.5}, metrics=kinds(), weighted_metrics=kinds())
    return model, data, {"sample_weight": weights_of(rng, COUNT)}


def an_array_for_each_output(rng):
    model, data, _ = one_array_for_two_outputs(rng)
    return model, data, {f"{name}_sample_weight": weights_of(rng, COUNT) for name in model.output_names}


def steps(rng):
    kinds = ["accuracy", metrics.MeanIoU(3, sparse_y_pred=False)]
    return sequences(rng, kinds, weights_of(rng, COUNT, 6))


def steps_by_sample(rng):
    return sequences(rng, ["accuracy"], weights_of(rng, COUNT, 1))


def sequences(rng, kinds, weights):
    inputs = keras.Input((6, 4), name="x")
    hidden = layers.LSTM(5, return_sequences=True)(inputs)
    model = keras.Model(inputs, layers.Dense(3, "softmax", name="out")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], weighted_metrics=kinds)
    data = {"x": rng.normal(size=(COUNT, 6, 4)), "out": rng.integers(0, 3, (COUNT, 6))}
    return model, data, {"sample_weight": weights}


def split(model, data, weights):
    """As fit takes them: inputs, targets, weights."""
    inputs, targets = models.split(model, data)
    names = model.output_names
    if len(names) > 1:  # Keras takes dictionaries of targets, but no weights beside them
        own = [weights.get(f"{n}_sample_weight", weights.get("sample_weight")) for n in names]
        return inputs, [targets[n] for n in names], own
    return inputs, targets, *weights.values()


def part(arrays, rows):
    return {name: array[rows] for name, array in arrays.items()}


class Run:
    """A model, and what training it gives on both sides."""

    def __init__(self, folder, build):
        keras.backend.clear_session()
        keras.utils.set_random_seed(2)
        keras.config.set_floatx("float64")
        keras.config.set_dtype_policy("float64")
        self.folder = folder
        self.model, self.data, self.weights = build(np.random.default_rng(2))
        self.archive = folder / "model.keras"
        self.model.save(self.archive)

    def file(self, name, *arrays):
        path = self.folder / name
        np.savez(path, **{k: v for one in arrays for k, v in one.items()})
        return path

    def train(self, *options):
        """Formwork's history; the archive is ours.keras."""
        printed = run(FORMWORK, "train", self.archive, "--batch-size", BATCH, "--epochs", EPOCHS, "--no-shuffle",
                      "--json", "-o", self.folder / "ours.keras", *options)  # fmt: skip
        return json.loads(printed)["history"]

    def compare(self, history, *arrays, **options):
        model = keras.models.load_model(self.archive)
        theirs = model.fit(*arrays, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0, **options).history
        model.save(self.folder / "theirs.keras")
        check_close(self.folder / "ours.keras", self.folder / "theirs.keras")
        compare_values(history, theirs)


def compare_values(ours, theirs):
    if set(ours) != set(theirs):
        raise Failure(f"one side alone has {sorted(set(ours) ^ set(theirs))}")
    for name, values in theirs.items():
        # Keras computes some metrics in float32, whatever the model.
        if not np.allclose(ours[name], values, rtol=1e-5, atol=1e-6):
            raise Failure(f"{name} is {ours[name]}, and {values} in Keras")


def trains_like_keras(folder, build):
    case = Run(folder, build)
    file = case.file("data.npz", case.data, case.weights)
    inputs, targets, weights = split(case.model, case.data, case.weights)
    case.compare(case.train("--data", file), inputs, targets, sample_weight=weights)


def validates_like_keras(folder, weighted):
    """The last samples are for validation, with weights of their own or without."""
    case = Run(folder, digits)
    train, test = slice(0, 200), slice(200, None)
    first = case.file("train.npz", part(case.data, train), part(case.weights, train))
    second = case.file("test.npz", part(case.data, test), part(case.weights, test) if weighted else {})
    inputs, targets, weights = split(case.model, part(case.data, train), part(case.weights, train))
    validation = split(case.model, part(case.data, test), part(case.weights, test))
    history = case.train("--data", first, "--validation-data", second)
    case.compare(history, inputs, targets, sample_weight=weights,
                 validation_data=validation if weighted else validation[:2])  # fmt: skip


def splits_like_keras(folder):
    case = Run(folder, digits)
    file = case.file("data.npz", case.data, case.weights)
    inputs, targets, weights = split(case.model, case.data, case.weights)
    history = case.train("--data", file, "--validation-split", 0.2)
    case.compare(history, inputs, targets, sample_weight=weights, validation_split=0.2)


def evaluates_like_keras(folder):
    case = Run(folder, an_array_for_each_output)
    file = case.file("data.npz", case.data, case.weights)
    ours = json.loads(run(FORMWORK, "evaluate", case.archive, "--data", file, "--json", "--batch-size", BATCH))
    inputs, targets, weights = split(case.model, case.data, case.weights)
    theirs = case.model.evaluate(inputs, targets, batch_size=BATCH, sample_weight=weights, verbose=0, return_dict=True)
    compare_values(ours, theirs)


def weighs_classes_like_keras(folder, build, words):
    """Validation knows no weights of classes."""
    case = Run(folder, build)
    file = case.file("data.npz", case.data)
    inputs, targets, _ = split(case.model, case.data, case.weights)
    history = case.train("--data", file, "--class-weight", words, "--validation-split", 0.2)
    case.compare(history, inputs, targets, class_weight={0: 0.5, 2: 3.0}, validation_split=0.2)


def one_hot(rng):
    model, data, weights = digits(rng, "categorical_crossentropy", weighted_metrics=["accuracy"])
    return model, {**data, "digit": np.eye(10)[data["digit"]]}, weights


def is_refused(folder, build, with_weights, expected, *options):
    case = Run(folder, build)
    file = case.file("data.npz", case.data, case.weights if with_weights else {})
    refuses([FORMWORK, "train", case.archive, "--data", file, *options], expected)


def refuses(command, expected):
    process = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600)
    if process.returncode == 0 or expected not in process.stderr:
        raise Failure(f"status {process.returncode}, and not '{expected}':\n{process.stderr}")


def programs_without_weights_refuse_them(folder):
    case = Run(folder, digits)
    file, program = case.file("data.npz", case.data, case.weights), folder / "program"
    run(FORMWORK, "compile", case.archive, "-o", program, "--train")
    refuses([program, "train", "--data", file], "compile it with --sample-weights")
    plain = case.file("plain.npz", case.data)
    refuses([program, "train", "--data", plain, "--class-weight", "1:2"], "compile it with --sample-weights")


def absent_weights_are_ones(folder, build):
    """To the bit: what is multiplied by 1 stays."""
    case = Run(folder, build)
    file = case.file("data.npz", case.data)
    case.train("--data", file)
    program, ones = folder / "program", folder / "ones.keras"
    run(FORMWORK, "compile", case.archive, "-o", program, "--train", "--sample-weights")
    run(program, "train", "--data", file, "--batch-size", BATCH, "--epochs", EPOCHS, "--no-shuffle", "-o", ones)
    check_close(ones, folder / "ours.keras", 1e-13)


def sentence(build):
    return build.__name__.replace("_", " ")


WEIGHTED = [digits, as_a_column, an_ignored_class, a_mean_by_weight, a_mean_by_weight_without_a_class, a_sum,
            a_loss_of_the_whole_batch, numbers, labels, one_array_for_two_outputs, an_array_for_each_output, steps,
            steps_by_sample]  # fmt: skip

TESTS = {
    **{f"weights of samples count as in Keras: {sentence(b)}": (trains_like_keras, b) for b in WEIGHTED},
    "validation data with weights": (validates_like_keras, True),
    "validation data without weights": (validates_like_keras, False),
    "a part kept for validation keeps its weights": (splits_like_keras,),
    "evaluate counts weights": (evaluates_like_keras,),
    "weights of classes count as in Keras": (weighs_classes_like_keras, digits, "0:0.5, 2:3"),
    "weights of classes as JSON, of one-hot labels": (weighs_classes_like_keras, one_hot, '{"0": 0.5, "2": 3.0}'),
    **{f"absent weights are ones: {sentence(b)}": (absent_weights_are_ones, b) for b in (digits, steps)},
    "weights of classes and of samples exclude each other": (
        is_refused, digits, True, "Keras takes one or the other", "--class-weight", "1:2",
    ),
    "weights of classes are for one output": (
        is_refused, one_array_for_two_outputs, False, "models with a single output", "--class-weight", "1:2",
    ),
    "weights of classes are for one label a sample": (
        is_refused, steps, False, "need one label for each sample", "--class-weight", "1:2",
    ),
    "a weight of a class is a number": (is_refused, digits, False, "'1:x' is no weight", "--class-weight", "0:1,1:x"),
    "a label has one weight": (is_refused, digits, False, "the label 1 has two", "--class-weight", "1:1,1:2"),
    "programs without weights refuse them": (programs_without_weights_refuse_them,),
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(run_cases(TESTS, sys.argv[1:]))
