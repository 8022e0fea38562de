"""Layers that merge several tensors."""

from families.activation import activation

ARGUMENTS = {
    "Add": {},
    "Multiply": {},
    "Subtract": {},
    "Average": {},
    "Maximum": {},
    "Minimum": {},
    "Dot": {"axes": [-1, 1, [1, 2], [2, 1]], "normalize": [False, True]},
    "Concatenate": {"axis": [-1, 1, 2]},
}


def merge(layer):
    def build(draft, at):
        shape = draft.shapes[at]
        same = [i for i, other in enumerate(draft.shapes) if other == shape and i != at]
        floats = [i for i in same if i >= len(draft.inputs) or draft.inputs[i]["kind"] != "tokens"]
        if not floats:  # a branch of our own, as in a residual block
            floats = [activation(draft, at)]
        most = 1 if layer == "Subtract" else 2
        others = draft.rng.sample(floats, min(len(floats), draft.rng.choice([1, most])))
        args, result = draft.arguments(layer, axis=None), list(shape)
        if layer == "Concatenate":
            axes = [a for a in ARGUMENTS[layer]["axis"] if a <= len(shape)]
            args["axis"] = draft.pick(layer, "axis", axes)
            index = args["axis"] - 1 if args["axis"] > 0 else -1
            result[index] *= 1 + len(others)
        return draft.add(layer, args, [at, *others], result)

    return build


def dot(draft, at):
    """With an activation of the same tensor, normalized where nothing is zero."""
    shape = draft.shapes[at]
    possible = [a for a in ARGUMENTS["Dot"]["axes"] if not isinstance(a, list) or len(shape) > 1]
    axes = draft.pick("Dot", "axes", possible)
    first, second = axes if isinstance(axes, list) else [axes if axes > 0 else len(shape)] * 2
    if shape[first - 1] != shape[second - 1]:
        return None
    args = {"axes": axes, "normalize": draft.pick("Dot", "normalize")}
    a, b = (draft.add("Activation", {"activation": f}, [at], shape) for f in ("softplus", "sigmoid"))
    rest = shape[: first - 1] + shape[first:] + shape[: second - 1] + shape[second:]
    if len(rest) > 3:
        return None
    return draft.add("Dot", args, [a, b], rest or [1])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Add": ((1, 2, 3), merge("Add")),
    "Multiply": ((1, 2, 3), merge("Multiply")),
    "Subtract": ((1, 2, 3), merge("Subtract")),
    "Average": ((1, 2, 3), merge("Average")),
    "Maximum": ((1, 2, 3), merge("Maximum")),
    "Minimum": ((1, 2, 3), merge("Minimum")),
    "Dot": ((1, 2, 3), dot),
    "Concatenate": ((1, 2, 3), merge("Concatenate")),
}
