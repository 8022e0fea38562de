"""Builds a specification in Keras and runs it there: predictions, then training step by step."""

import inspect
import math

import keras
import numpy as np
import tensorflow as tf
from keras.src import backend

from arguments import SCHEDULES
from cell_masks import CellMasks, streams_of
from keras_on_tensorflow import (
    bias_by_broadcasting,
    bilinear_in_any_precision,
    dense_gradients,
    dilated_transposes,
    exact_gelu,
    exact_leaky_relu,
    exact_rescaling,
    groups_one_by_one,
    pointwise_strides,
    volumes_plane_by_plane,
)
from philox import normal, uniform

RATE = 0.01
LEFT_OUT = 0.5  # a Masking's value, which is not rounded


class Noise:
    """Gives Keras the numbers that Formwork draws, so that random training can be compared.

    Formwork draws from Philox by (seed, stream, counter): a stream for each layer that is random (of
    a rate or deviation above 0), in the order of the model's layers, and one for each mask of a
    recurrent cell; the counter counts steps. A layer is known by its generator of seeds.
    """

    def __init__(self):
        self.streams, self.counter = {}, 0
        for name in ("dropout", "normal", "uniform"):
            self.replace(name, getattr(self, name))

    def replace(self, name, ours):
        original = getattr(backend.random, name)

        def call(*args, seed=None, **kwargs):
            if id(seed) not in self.streams:
                return original(*args, seed=seed, **kwargs)
            return ours(self.streams[id(seed)], *args, **kwargs)

        setattr(backend.random, name, call)

    def uniform(self, stream, shape, minval=0.0, maxval=1.0, dtype=None):
        assert (minval, maxval) == (0.0, 1.0)
        return tf.constant(uniform(0, stream, self.counter, tuple(shape), dtype or backend.floatx()))

    def normal(self, stream, shape, mean=0.0, stddev=1.0, dtype=None):
        return mean + stddev * tf.constant(normal(0, stream, self.counter, tuple(shape), dtype))

    def dropout(self, stream, inputs, rate, noise_shape=None):
        shape = noise_shape or [None] * len(inputs.shape)
        shape = [size if known is None else known for known, size in zip(shape, inputs.shape)]
        keep = self.uniform(stream, shape, dtype=backend.standardize_dtype(inputs.dtype)) >= rate
        return tf.where(keep, inputs * (1 / (1 - rate)), tf.zeros_like(inputs))

    def begin(self, model):
        stream, cells, self.streams = 0, [], {}
        for layer in flat_layers(model):
            cells.append((layer, stream))
            stream += streams_of(layer)
            generator = getattr(layer, "seed_generator", None)
            if generator is not None:
                self.streams[id(generator)] = stream
                stream += 1
        CELL_MASKS.begin(cells)
        self.counter = 0


def flat_layers(model):
    for layer in model.layers:
        yield from wrapped(layer)


def wrapped(layer):
    """The layer, or those within it."""
    if isinstance(layer, keras.Model):
        yield from flat_layers(layer)
    elif isinstance(layer, keras.layers.Bidirectional):
        yield layer.forward_layer
        yield layer.backward_layer
    elif isinstance(layer, keras.layers.TimeDistributed):
        yield from wrapped(layer.layer)
    elif isinstance(layer, keras.layers.MultiHeadAttention):
        if layer.dropout:
            yield layer._dropout_layer
    else:
        yield layer


CELL_MASKS = CellMasks()
NOISE = Noise()


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
            rank = len(bound["inputs"].shape)
            last, first = [0, *range(2, rank), 1], [0, rank - 1, *range(1, rank - 1)]
            bound["inputs"] = tf.transpose(bound["inputs"], last)
            return tf.transpose(original(**bound), first)

        setattr(backend_module.nn, name, call)

    wrap("conv")
    wrap("conv_transpose")
    wrap("max_pool")
    wrap("average_pool")


pointwise_strides()
groups_one_by_one()
volumes_plane_by_plane()
dilated_transposes()
channels_first_on_cpu()  # on top: the others take channels that are last
dense_gradients()
exact_gelu()
exact_leaky_relu()
exact_rescaling()
bias_by_broadcasting()
bilinear_in_any_precision()


def as_tuple(value):
    return tuple(map(as_tuple, value)) if isinstance(value, list) else value


def make_layer(node, name):
    args = {k: as_tuple(v) if k != "axis" else v for k, v in node["args"].items()}
    for wrapped in ("layer", "backward_layer"):
        if isinstance(args.get(wrapped), dict):
            args[wrapped] = make_layer(args[wrapped], f"{name}_{wrapped}")
    if node["layer"] == "Sequential":
        return keras.Sequential([make_layer(n, f"{name}_{i}") for i, n in enumerate(args["layers"])], name=name)
    trainable = args.pop("trainable", True)
    layer = getattr(keras.layers, node["layer"])(name=name, **args)
    if hasattr(regularizer := getattr(layer, "kernel_regularizer", None), "factor"):
        # A float32 tensor, which TensorFlow does not multiply by doubles.
        regularizer.factor = float(regularizer.factor)
    layer.trainable = trainable
    return layer


def call(layer, node, tensors):
    """All that the layer returns."""
    count = len(tensors) - node.get("initial", 0)
    states = {"initial_state": tensors[count:]} if node.get("initial") else {}
    if isinstance(layer, keras.layers.MultiHeadAttention):
        result = layer(tensors[0], tensors[min(1, count - 1)], *tensors[2:], **node["call"])
    else:
        result = layer(tensors[:count] if count > 1 else tensors[0], **states)
    return result if isinstance(result, (list, tuple)) else [result]


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
    inputs, layers, results = list(tensors), {}, {}
    for index, node in enumerate(spec["nodes"], start=len(tensors)):
        if node["layer"] == "Output":
            tensors.append(results[node["from"][0]][node["args"]["index"]])
            continue
        layer = layers[node["shares"]] if "shares" in node else make_layer(node, f"layer{index}")
        layers[index] = layer
        results[index] = call(layer, node, [tensors[i] for i in node["from"]])
        tensors.append(results[index][0])
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
        if "seed" in weight.path or weight.path.endswith("count"):
            continue
        fan_in = max(1, math.prod(weight.shape[:-1]))
        values = rng.normal(0, 1 / math.sqrt(fan_in) if len(weight.shape) > 1 else 0.5, weight.shape)
        if weight.path.endswith(("variance", "gamma")):
            values = 0.5 + np.abs(values)
        weight.assign(values.astype(np.float32))  # the same values in either precision
    for layer in flat_layers(model):
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # it computes with copies of its weights


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
        leave_out(spec, len(arrays) - 1, arrays[-1], rng)
    return arrays


def leave_out(spec, at, array, rng):
    """Some steps are what a mask leaves out, but of each example one stays."""
    for node in spec["nodes"]:
        if node["from"] != [at] or not (node["layer"] == "Masking" or node["args"].get("mask_zero")):
            continue
        steps = array.shape if node["layer"] == "Embedding" else array.shape[:-1]
        out = rng.random(steps) < 0.4
        out.reshape(len(out), -1)[np.arange(len(out)), rng.integers(0, out[0].size, len(out))] = False
        if node["layer"] == "Embedding":
            np.maximum(array, 1, out=array)
        array[out] = node["args"].get("mask_value", 0)


def draw_target(loss, rng, shape):
    """Labels for an output of this shape."""
    if loss["class"] == "SparseCategoricalCrossentropy":
        return rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if loss["class"] in ("CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence", "CategoricalHinge"):
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    if loss["class"] in ("BinaryCrossentropy", "BinaryFocalCrossentropy", "Dice", "Tversky", "Poisson"):
        return rng.integers(0, 2, shape).astype(np.float64)
    values = rng.normal(size=shape).astype(np.float32).astype(np.float64)
    if loss["class"] == "MeanAbsolutePercentageError":  # near 0 its steps throw weights far away
        return np.copysign(1 + np.abs(values), values)
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
        np.where(a == LEFT_OUT, a, a * (1 + unit * rng.uniform(-1, 1, np.shape(a))))
        if np.asarray(a).dtype.kind == "f"
        else a
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
    NOISE.begin(model)
    logs = {}
    for step, (x, y) in enumerate(batches):
        NOISE.counter = CELL_MASKS.counter = step
        if nudge:
            nudge_weights(model, *nudge)
            x = nudged(x, *nudge)
        logs = model.train_on_batch(as_given(x, floatx), as_given(y, floatx), return_dict=True)
    return {
        "predictions": [np.asarray(p) for p in predictions],
        "logs": {name: float(value) for name, value in logs.items()},
    }
