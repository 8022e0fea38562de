"""Builds a specification in Keras and runs it there: predictions, then training step by step."""

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

from arguments import SCHEDULES
from keras_on_tensorflow import (
    bias_by_broadcasting,
    dense_gradients,
    exact_gelu,
    groups_one_by_one,
    pointwise_strides,
)
from philox import uniform

RATE = 0.01


class Dropouts:
    """Gives Keras the masks that Formwork draws, so that random training can be compared.

    Formwork draws from Philox by (seed, stream, counter): a stream for each Dropout layer that is
    random (of a rate above 0), in the order of the model's layers; the counter counts steps.
    """

    def __init__(self):
        self.streams, self.counter = {}, 0
        original = keras.layers.Dropout.call
        dropouts = self

        def call(layer, inputs, training=False):
            if not training or layer.name not in dropouts.streams:
                return original(layer, inputs, training=training)
            stream = dropouts.streams[layer.name]
            floatx = backend.standardize_dtype(inputs.dtype)
            draws = uniform(0, stream, dropouts.counter, tuple(inputs.shape), floatx)
            keep = tf.constant(draws >= layer.rate)
            scale = np.asarray(1 / (1 - layer.rate), floatx)
            return tf.where(keep, inputs * scale, tf.zeros_like(inputs))

        keras.layers.Dropout.call = call

    def begin(self, model):
        layers = [l for l in flat_layers(model) if isinstance(l, keras.layers.Dropout) and l.rate > 0]
        self.streams = {layer.name: i for i, layer in enumerate(layers)}
        self.counter = 0


def flat_layers(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer


DROPOUTS = Dropouts()


def channels_first_on_cpu():
    """TensorFlow's CPU kernels want the channels last; a model may still have them first."""
    from keras.src.backend import tensorflow as backend_module

    def wrap(name):
        original = getattr(backend_module.nn, name)
        signature = inspect.signature(original)

        def call(*args, **kwargs):
            bound = signature.bind(*args, **kwargs).arguments
            if bound.get("data_format") != "channels_first":
                return original(**bound)
            bound["data_format"] = "channels_last"
            bound["inputs"] = tf.transpose(bound["inputs"], [0, 2, 3, 1])
            return tf.transpose(original(**bound), [0, 3, 1, 2])

        setattr(backend_module.nn, name, call)

    wrap("conv")
    wrap("max_pool")


pointwise_strides()
groups_one_by_one()
channels_first_on_cpu()  # on top: the others take channels that are last
dense_gradients()
exact_gelu()
bias_by_broadcasting()


def make_layer(node, name):
    args = {k: tuple(v) if isinstance(v, list) and k != "axis" else v for k, v in node["args"].items()}
    if node["layer"] == "Sequential":
        return keras.Sequential([make_layer(n, f"{name}_{i}") for i, n in enumerate(args["layers"])], name=name)
    trainable = args.pop("trainable", True)
    layer = getattr(keras.layers, node["layer"])(name=name, **args)
    if hasattr(regularizer := getattr(layer, "kernel_regularizer", None), "factor"):
        # A float32 tensor, which TensorFlow does not multiply by doubles.
        regularizer.factor = float(regularizer.factor)
    layer.trainable = trainable
    return layer


def input_dtype(spec_input, floatx):
    return "int32" if spec_input["kind"] == "tokens" else floatx


def build(spec, floatx):
    """The model, compiled, with weights that are a function of the seed, in `floatx`."""
    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    tensors = [
        keras.Input(i["shape"], dtype=input_dtype(i, floatx), name=f"in{k}")
        for k, i in enumerate(spec["inputs"])
    ]
    inputs, layers = list(tensors), {}
    for index, node in enumerate(spec["nodes"], start=len(tensors)):
        layer = layers[node["shares"]] if "shares" in node else make_layer(node, f"layer{index}")
        layers[index] = layer
        arguments = [tensors[i] for i in node["from"]]
        tensors.append(layer(arguments if len(arguments) > 1 else arguments[0]))
    outputs = [tensors[i] for i in spec["outputs"]]
    if spec["kind"] == "sequential":
        model = keras.Sequential([inputs[0], *layers.values()], name="model")
    else:
        model = keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0], name="model")
    set_weights(model, spec["seed"])
    compile_model(model, spec)
    return model


def set_weights(model, seed):
    """Weights that exercise everything: no zeros or ones, moving variances positive."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if "seed" in weight.path:
            continue
        fan_in = max(1, math.prod(weight.shape[:-1]))
        values = rng.normal(0, 1 / math.sqrt(fan_in) if len(weight.shape) > 1 else 0.5, weight.shape)
        if weight.path.endswith(("moving_variance", "gamma")):
            values = 0.5 + np.abs(values)
        weight.assign(values.astype(np.float32))  # the same values in either precision


def learning_rate(name):
    if name == "constant":
        return RATE
    args = dict(SCHEDULES[name])
    if "boundaries" not in args:
        args["initial_learning_rate"] = RATE
    return getattr(keras.optimizers.schedules, name.split()[0])(**args)


def compile_model(model, spec):
    settings = spec["optimizer"]
    optimizer = getattr(keras.optimizers, settings["class"])(
        learning_rate=learning_rate(settings["learning_rate"]), **settings["args"]
    )
    losses = [getattr(keras.losses, l["class"])(**l["args"]) for l in spec["losses"]]
    metrics = list(spec["metrics"])
    if len(losses) > 1:
        metrics = [list(metrics) for _ in losses]
    model.compile(
        optimizer=optimizer,
        loss=losses if len(losses) > 1 else losses[0],
        metrics=metrics or None,
        run_eagerly=True,
    )


def draw_inputs(spec, rng, batch, limit):
    arrays = []
    for spec_input in spec["inputs"]:
        shape = [batch, *spec_input["shape"]]
        if spec_input["kind"] == "tokens":
            arrays.append(rng.integers(0, limit, shape).astype(np.int32))
        else:
            arrays.append(rng.normal(size=shape).astype(np.float32).astype(np.float64))
    return arrays


def draw_target(loss, rng, shape):
    """Labels for an output of this shape."""
    if loss["class"] == "SparseCategoricalCrossentropy":
        return rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if loss["class"] in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence", "CategoricalHinge"):
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    if loss["class"] in ("BinaryCrossentropy", "BinaryFocalCrossentropy", "Dice", "Tversky", "Poisson"):
        return rng.integers(0, 2, shape).astype(np.float64)
    values = rng.normal(size=shape).astype(np.float32).astype(np.float64)
    return np.abs(values) if loss["class"] == "MeanSquaredLogarithmicError" else values


def token_limit(spec):
    return min([n["args"]["input_dim"] for n in spec["nodes"] if n["layer"] == "Embedding"], default=1)


def draw_batches(spec, model, steps):
    """The inputs to predict with, then inputs and targets of each step; batch sizes alternate."""
    rng = np.random.default_rng([spec["seed"], 1])
    limit = token_limit(spec)
    outputs = model.outputs if isinstance(model.outputs, list) else [model.outputs]
    batches = []
    for step in range(steps):
        batch = spec["batch"] if step % 4 != 3 else spec["batch"] // 2 + 1
        inputs = draw_inputs(spec, rng, batch, limit)
        targets = [
            draw_target(loss, rng, [batch, *output.shape[1:]])
            for loss, output in zip(spec["losses"], outputs)
        ]
        batches.append((inputs, targets))
    return draw_inputs(spec, rng, spec["batch"], limit), batches


def as_given(arrays, floatx):
    arrays = [a.astype(floatx) if a.dtype.kind == "f" else a for a in arrays]
    return arrays if len(arrays) > 1 else arrays[0]


def nudged(arrays, rng, unit):
    """Each number as if it had been rounded otherwise: by up to `unit` of it. Indices stay."""
    return [
        a * (1 + unit * rng.uniform(-1, 1, np.shape(a))) if np.asarray(a).dtype.kind == "f" else a
        for a in arrays
    ]


def nudge_weights(model, rng, unit):
    weights = [w for w in model.weights if "seed" not in w.path]
    for weight, value in zip(weights, nudged([w.numpy() for w in weights], rng, unit)):
        weight.assign(value)


def run(model, floatx, inputs, batches, nudge=None):
    """Predictions, then all training steps; the metrics of the last. `nudge` is a generator and a
    unit of rounding: inputs and weights are then rounded otherwise all along the way."""
    if nudge:
        nudge_weights(model, *nudge)
        inputs = nudged(inputs, *nudge)
    predictions = model(as_given(inputs, floatx), training=False)
    if not isinstance(predictions, (list, tuple)):
        predictions = [predictions]
    DROPOUTS.begin(model)
    logs = {}
    for step, (x, y) in enumerate(batches):
        DROPOUTS.counter = step
        if nudge:
            nudge_weights(model, *nudge)
            x = nudged(x, *nudge)
        logs = model.train_on_batch(as_given(x, floatx), as_given(y, floatx), return_dict=True)
    return {
        "predictions": [np.asarray(p) for p in predictions],
        "logs": {name: float(value) for name, value in logs.items()},
    }
