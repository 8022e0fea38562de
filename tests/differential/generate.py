"""Draws random models as specifications: plain JSON from which Keras builds the model again.

    {"inputs": [{"kind": "image", "shape": [5, 7, 3]}],
     "nodes": [{"layer": "Dense", "args": {...}, "from": [0]}, ...],   0 is the first input,
     "outputs": [4], "losses": [...], "optimizer": {...}, ...}          nodes count on from there

A draw prefers what has been drawn least, so that few models cover all arguments. Everything is a
function of the seed.
"""

import random

from arguments import LEARNING_RATE, LOSSES, METRICS, OPTIMIZERS
from draft import Draft
from families import BUILDERS
from families.core import flatten
from families.embedding import embedding
from families.masking import masking
from families.recurrent import dense_and_norm
from shapes import product


def grow(draft, at):
    """One more layer on top of `at`; the same place if none was found that fits."""
    fitting = [n for n, (ranks, _) in BUILDERS.items() if len(draft.shapes[at]) in ranks]
    name = draft.rng.choices(fitting, [draft.coverage.want(n) for n in fitting])[0]
    before = draft.mark()
    result = BUILDERS[name][1](draft, at)
    if result is None or product(draft.shapes[result]) > 3000:
        draft.back_to(before)
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
    args, units = dense_and_norm(draft)
    return draft.add("Sequential", args, [at], draft.shapes[at][:-1] + units)


def begin(draft, count):
    """Where the model's chains begin: its inputs, tokens embedded. Layers that only one kind of
    input leads to draw that kind while they are wanted."""

    def only_on(rank):
        return sum(draft.coverage.want(n) for n, (ranks, _) in BUILDERS.items() if ranks == (rank,))

    embedded = draft.coverage.want("Embedding")
    kinds = {
        "volume": only_on(4),
        "image": only_on(3),
        "sequence": only_on(2),
        "tokens": embedded,
        "vector": 0.02,
    }
    inputs = [draft.add_input(draft.rng.choices(list(kinds), kinds.values())[0]) for _ in range(count)]
    return [first(draft, i) for i in inputs]


def first(draft, at):
    """What tokens and sequences of which steps are left out are read with."""
    kind = draft.inputs[at]["kind"]
    if kind == "tokens":
        return embedding(draft, at)
    leaves_out = kind in ("sequence", "image") and draft.rng.random() < max(0.2, draft.coverage.want("Masking"))
    return masking(draft, at) if leaves_out else at


# What a model ends in for losses of distributions and of numbers between 0 and 1; else in numbers.
DISTRIBUTIONS = [
    "SparseCategoricalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "KLDivergence",
]
FINAL = dict.fromkeys(
    ["BinaryCrossentropy", "BinaryFocalCrossentropy", "MeanSquaredLogarithmicError", "Poisson", "Dice", "Tversky"],
    "sigmoid",
)


def head(draft, at):
    """The last layer and its loss."""
    loss = draft.rng.choices(list(LOSSES), [draft.coverage.want(name) for name in LOSSES])[0]
    args = draft.arguments(loss)
    if len(draft.shapes[at]) > 1 and draft.rng.random() < 0.8:
        at = flatten(draft, at)
    classes = 1 if loss.startswith("Binary") and draft.rng.random() < 0.5 else draft.rng.choice([2, 3, 10])
    final = FINAL.get(loss, "softmax" if loss in DISTRIBUTIONS else "linear")
    if args.get("from_logits"):
        final = "linear"
    dense_args = draft.arguments("Dense", units=classes, activation=final)
    out = draft.add("Dense", dense_args, [at], draft.shapes[at][:-1] + [classes])
    return out, {"class": loss, "args": args}


def optimizer(draft):
    name = draft.rng.choices(list(OPTIMIZERS), [draft.coverage.want(name) for name in OPTIMIZERS])[0]
    args = {**draft.arguments(name), **draft.pick("optimizer", "around")}
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
        "concrete": seed % 2 == 0,
        "uses": draft.uses,
    }


def chain(draft, at, length, kind):
    for _ in range(length):
        before = draft.mark()
        next_at = grow(draft, at)
        if kind == "sequential" and any(map(branches, draft.since(before))):
            draft.back_to(before)
            continue
        at = next_at
    return at


def branches(node):
    """Whether the layer takes or returns several tensors, as none in a Sequential model does."""
    args = node["args"]
    cell = args["layer"]["args"] if node["layer"] == "Bidirectional" else args
    several = cell.get("return_state") or args.get("merge_mode", "") is None
    return several or len(node["from"]) > 1 or node["layer"] in ("Output", "MultiHeadAttention")
