"""Layers that merge several tensors."""

from families.activation import activation

ARGUMENTS = {
    "Add": {},
    "Multiply": {},
    "Concatenate": {"axis": [-1, 1, 2]},
}


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
            axes = [a for a in ARGUMENTS[layer]["axis"] if a <= len(shape)]
            args["axis"] = draft.pick(layer, "axis", axes)
            index = args["axis"] - 1 if args["axis"] > 0 else -1
            result[index] *= 1 + len(others)
        return draft.add(layer, args, [at, *others], result)

    return build


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Add": ((1, 2, 3), merge("Add")),
    "Multiply": ((1, 2, 3), merge("Multiply")),
    "Concatenate": ((1, 2, 3), merge("Concatenate")),
}
