"""Draws random models as specifications: plain JSON from which Keras builds the model again.

    {"inputs": [{"kind": "image", "shape": [5, 7, 3]}],
     "nodes": [{"layer": "Dense", "args": {...}, "from": [0]}, ...],   0 is the first input,
     "outputs": [4], "losses": [...], "optimizer": {...}, ...}          nodes count on from there

A draw prefers what has been drawn least, so that few models cover all arguments. Everything is a
function of the seed.
"""

import random

from arguments import LAYERS, LEARNING_RATE, LOSSES, METRICS, OPTIMIZERS, TABLES


class Coverage:
    """How often each value of each argument has been used."""

    def __init__(self):
        self.counts = {
            (owner, argument, repr(value)): 0
            for owner, table in TABLES.items()
            for argument, values in table.items()
            for value in values
        }

    def add(self, uses):
        for use in uses:
            self.counts[tuple(use)] += 1

    def least(self, owner, argument, values, rng):
        """One of the values, the less used the likelier."""
        weights = [1 / (1 + self.counts[owner, argument, repr(v)]) ** 2 for v in values]
        return rng.choices(values, weights)[0]

    def want(self, layer):
        """How much a layer is wanted: the more, the less its least used value was used."""
        counts = [self.counts[layer, a, repr(v)] for a, values in LAYERS[layer].items() for v in values]
        return 1 / (1 + min(counts, default=15)) ** 2


class Draft:
    """A model while it is being drawn; `shapes` are those of inputs and nodes, without the batch."""

    def __init__(self, rng, coverage):
        self.rng, self.coverage = rng, coverage
        self.inputs, self.nodes, self.shapes, self.uses = [], [], [], []

    def pick(self, owner, argument, values=None):
        values = TABLES[owner][argument] if values is None else values
        value = self.coverage.least(owner, argument, values, self.rng)
        self.uses.append((owner, argument, repr(value)))
        return value

    def arguments(self, layer, **fixed):
        return {name: fixed[name] if name in fixed else self.pick(layer, name) for name in LAYERS[layer]}

    def add_input(self, kind):
        pick = self.rng.choice
        shape = {
            "image": lambda: [pick([4, 5, 7, 8]), pick([4, 5, 6, 9]), pick([2, 4])],
            "sequence": lambda: [pick([1, 3, 4, 5]), pick([1, 2, 5, 16])],
            "tokens": lambda: [pick([1, 3, 5])],
            "vector": lambda: [pick([1, 3, 7, 16, 33])],
        }[kind]()
        self.inputs.append({"kind": kind, "shape": shape})
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def add(self, layer, args, sources, shape, **more):
        self.nodes.append({"layer": layer, "args": args, "from": sources, **more})
        self.shapes.append(list(shape))
        return len(self.shapes) - 1


def product(shape):
    result = 1
    for size in shape:
        result *= size
    return result


def window(size, kernel, stride, padding, dilation=1):
    """The output's size of a convolution or pooling along one dimension."""
    if padding == "same":
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def pair(value):
    return list(value) if isinstance(value, list) else [value, value]


def dense(draft, at):
    args = draft.arguments("Dense")
    return draft.add("Dense", args, [at], draft.shapes[at][:-1] + [args["units"]])


def flatten(draft, at):
    return draft.add("Flatten", draft.arguments("Flatten"), [at], [product(draft.shapes[at])])


def reshape(draft, at):
    shape = draft.shapes[at]
    if len(shape) < 2:
        return None
    kind = draft.pick("Reshape", "target_shape")
    target = shape[::-1] if kind.startswith("reversed") else [shape[0], product(shape[1:])]
    written = [-1] + target[1:] if kind.endswith("-1") else target
    return draft.add("Reshape", {"target_shape": written}, [at], target)


def activation(draft, at):
    return draft.add("Activation", draft.arguments("Activation"), [at], draft.shapes[at])


def dropout(draft, at):
    return draft.add("Dropout", draft.arguments("Dropout"), [at], draft.shapes[at])


def merge(layer):
    def build(draft, at):
        shape = draft.shapes[at]
        same = [i for i, other in enumerate(draft.shapes) if other == shape and i != at]
        floats = [i for i in same if i >= len(draft.inputs) or draft.inputs[i]["kind"] != "tokens"]
        if not floats:  # a branch of our own, as in a residual block
            floats = [activation(draft, at)]
        others = draft.rng.sample(floats, min(len(floats), draft.rng.choice([1, 2])))
        args, result = draft.arguments(layer, axis=None), list(shape)
        if layer == "Concatenate":
            axes = [a for a in LAYERS[layer]["axis"] if a <= len(shape)]
            args["axis"] = draft.pick(layer, "axis", axes)
            index = args["axis"] - 1 if args["axis"] > 0 else -1
            result[index] *= 1 + len(others)
        return draft.add(layer, args, [at, *others], result)

    return build


def batch_normalization(draft, at):
    return draft.add("BatchNormalization", draft.arguments("BatchNormalization"), [at], draft.shapes[at])


def layer_normalization(draft, at):
    axes = LAYERS["LayerNormalization"]["axis"]
    possible = axes if len(draft.shapes[at]) > 1 else axes[:2]
    axis = draft.pick("LayerNormalization", "axis", possible)
    args = draft.arguments("LayerNormalization", axis=axis)
    return draft.add("LayerNormalization", args, [at], draft.shapes[at])


def planes(shape, data_format):
    """Height, width and channels."""
    return shape if data_format == "channels_last" else [shape[1], shape[2], shape[0]]


def from_planes(shape, data_format):
    return shape if data_format == "channels_last" else [shape[2], shape[0], shape[1]]


def conv2d(draft, at):
    strides = draft.pick("Conv2D", "strides")
    dilation = draft.pick("Conv2D", "dilation_rate", [1] if strides != 1 else [1, 2])
    args = draft.arguments("Conv2D", strides=strides, dilation_rate=dilation)
    height, width, channels = planes(draft.shapes[at], args["data_format"])
    kernel, stride = pair(args["kernel_size"]), pair(strides)
    out = [
        window(size, k, s, args["padding"], dilation)
        for size, k, s in zip([height, width], kernel, stride)
    ]
    if min(out) < 1 or channels % args["groups"]:
        return None
    return draft.add("Conv2D", args, [at], from_planes(out + [args["filters"]], args["data_format"]))


def max_pooling(draft, at):
    args = draft.arguments("MaxPooling2D")
    height, width, channels = planes(draft.shapes[at], args["data_format"])
    pool = pair(args["pool_size"])
    strides = pool if args["strides"] is None else pair(args["strides"])
    out = [window(s, k, t, args["padding"]) for s, k, t in zip([height, width], pool, strides)]
    if min(out) < 1:
        return None
    return draft.add("MaxPooling2D", args, [at], from_planes(out + [channels], args["data_format"]))


def global_pooling(draft, at):
    args = draft.arguments("GlobalAveragePooling2D")
    channels = planes(draft.shapes[at], args["data_format"])[2]
    shape = from_planes([1, 1, channels], args["data_format"]) if args["keepdims"] else [channels]
    return draft.add("GlobalAveragePooling2D", args, [at], shape)


def lstm(draft, at):
    args = draft.arguments("LSTM")
    steps = [draft.shapes[at][0]] if args["return_sequences"] else []
    return draft.add("LSTM", args, [at], steps + [args["units"]])


def embedding(draft, at):
    args = draft.arguments("Embedding")
    return draft.add("Embedding", args, [at], draft.shapes[at] + [args["output_dim"]])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Dense": ((1, 2, 3), dense),
    "Flatten": ((2, 3), flatten),
    "Reshape": ((2, 3), reshape),
    "Activation": ((1, 2, 3), activation),
    "Dropout": ((1, 2, 3), dropout),
    "Add": ((1, 2, 3), merge("Add")),
    "Multiply": ((1, 2, 3), merge("Multiply")),
    "Concatenate": ((1, 2, 3), merge("Concatenate")),
    "BatchNormalization": ((1, 2, 3), batch_normalization),
    "LayerNormalization": ((1, 2, 3), layer_normalization),
    "Conv2D": ((3,), conv2d),
    "MaxPooling2D": ((3,), max_pooling),
    "GlobalAveragePooling2D": ((3,), global_pooling),
    "LSTM": ((2,), lstm),
}


def grow(draft, at):
    """One more layer on top of `at`; the same place if none was found that fits."""
    fitting = [n for n, (ranks, _) in BUILDERS.items() if len(draft.shapes[at]) in ranks]
    name = draft.rng.choices(fitting, [draft.coverage.want(n) for n in fitting])[0]
    uses = len(draft.uses)
    result = BUILDERS[name][1](draft, at)
    if result is None or product(draft.shapes[result]) > 3000:
        del draft.uses[uses:]
        del draft.nodes[max(0, (result if result is not None else len(draft.shapes)) - len(draft.inputs)) :]
        del draft.shapes[len(draft.inputs) + len(draft.nodes) :]
        return at
    return result


def share(draft, at):
    """Applies a Dense layer twice, the second time to the first's output."""
    width = draft.shapes[at][-1]
    args = draft.arguments("Dense", units=width, activation="tanh")
    first = draft.add("Dense", args, [at], draft.shapes[at])
    return draft.add("Dense", args, [first], draft.shapes[at], shares=first)


def nest(draft, at):
    """A model within the model: Dense and BatchNormalization in a Sequential of their own."""
    dense_args, norm_args = draft.arguments("Dense"), draft.arguments("BatchNormalization", axis=-1)
    layers = [{"layer": "Dense", "args": dense_args}, {"layer": "BatchNormalization", "args": norm_args}]
    shape = draft.shapes[at][:-1] + [dense_args["units"]]
    return draft.add("Sequential", {"layers": layers}, [at], shape)


def begin(draft, count):
    """Where the model's chains begin: its inputs, tokens embedded. Layers that only one kind of
    input leads to draw that kind while they are wanted."""
    want = draft.coverage.want
    kinds = {"image": 3 * want("Conv2D"), "sequence": want("LSTM"), "tokens": want("Embedding"), "vector": 0.02}
    inputs = [draft.add_input(draft.rng.choices(list(kinds), kinds.values())[0]) for _ in range(count)]
    return [embedding(draft, i) if draft.inputs[i]["kind"] == "tokens" else i for i in inputs]


def head(draft, at):
    """The last layer and its loss."""
    loss = draft.rng.choice(list(LOSSES))
    args = {name: draft.pick(loss, name) for name in LOSSES[loss]}
    if len(draft.shapes[at]) > 1 and draft.rng.random() < 0.8:
        at = flatten(draft, at)
    classes = 1 if loss == "BinaryCrossentropy" and draft.rng.random() < 0.5 else draft.rng.choice([2, 3, 10])
    final = {"MeanSquaredError": "linear", "BinaryCrossentropy": "sigmoid"}.get(loss, "softmax")
    if args.get("from_logits"):
        final = "linear"
    dense_args = draft.arguments("Dense", units=classes, activation=final)
    out = draft.add("Dense", dense_args, [at], draft.shapes[at][:-1] + [classes])
    return out, {"class": loss, "args": args}


def optimizer(draft):
    name = draft.rng.choice(list(OPTIMIZERS))
    args = {argument: draft.pick(name, argument) for argument in OPTIMIZERS[name]}
    rate = draft.pick("learning rate", "learning_rate", LEARNING_RATE["learning_rate"])
    return {"class": name, "args": args, "learning_rate": rate}


def metrics(draft, losses):
    """An absolute error of class numbers makes no sense, and Keras refuses it."""
    sparse = any(loss["class"].startswith("Sparse") for loss in losses)
    return draft.pick("metrics", "metrics", [m for m in METRICS["metrics"] if not sparse or "mae" not in m])


def generate(seed, coverage):
    """The model of this seed, given what earlier ones have covered."""
    rng = random.Random(seed)
    draft = Draft(rng, coverage)
    kind = draft.pick("model", "kind")
    count = 1 if kind == "sequential" else draft.pick("model", "inputs")
    ends = [chain(draft, end, rng.randint(1, 5), kind) for end in begin(draft, count)]
    if len(ends) > 1:
        flat = [e if len(draft.shapes[e]) == 1 else flatten(draft, e) for e in ends]
        width = sum(draft.shapes[e][0] for e in flat)
        draft.uses.append(("Concatenate", "axis", "-1"))
        ends = [draft.add("Concatenate", {"axis": -1}, flat, [width])]
    shared = kind == "functional" and draft.pick("model", "shared layer")
    nested = draft.pick("model", "nested model")
    end = share(draft, ends[0]) if shared else ends[0]
    end = nest(draft, end) if nested else end
    heads = [head(draft, end) for _ in range(1 if kind == "sequential" else draft.pick("model", "outputs"))]
    return {
        "seed": seed,
        "kind": kind,
        "inputs": draft.inputs,
        "nodes": draft.nodes,
        "outputs": [out for out, _ in heads],
        "losses": [loss for _, loss in heads],
        "metrics": metrics(draft, [loss for _, loss in heads]),
        "optimizer": optimizer(draft),
        "batch": rng.choice([1, 2, 5, 8, 13]),
        "uses": draft.uses,
    }


def chain(draft, at, length, kind):
    for _ in range(length):
        before = len(draft.nodes)
        next_at = grow(draft, at)
        # A Sequential model has no branches.
        if kind == "sequential" and any(len(n["from"]) > 1 for n in draft.nodes[before:]):
            remove_last(draft, before)
            continue
        at = next_at
    return at


def remove_last(draft, count):
    """Takes back all nodes from `count` on, and what they used."""
    layers = {n["layer"] for n in draft.nodes[count:]}
    while draft.uses and draft.uses[-1][0] in layers:
        draft.uses.pop()
    del draft.nodes[count:]
    del draft.shapes[len(draft.inputs) + count :]
