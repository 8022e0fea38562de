"""Layers that prepare data: constants and statistics that are not trained."""

ARGUMENTS = {
    "Rescaling": {"scale": [1 / 3, "of the last axis"], "offset": [0.0, -0.1, "of the last axis"]},
    "Normalization": {
        "axis": [-1, None, 1, [1, 2]],
        "mean and variance": ["stored", "numbers", "of the last axis"],
        "invert": [False, True],
    },
}


def several(count, low):
    """As many numbers, from `low` on."""
    return [low + 0.125 * (i % 9) for i in range(count)]


def rescaling(draft, at):
    args = draft.arguments("Rescaling")
    last = draft.shapes[at][-1]
    if args["scale"] == "of the last axis":
        args["scale"] = several(last, 0.25)
    if args["offset"] == "of the last axis":
        args["offset"] = several(last, -0.5)
    return draft.add("Rescaling", args, [at], draft.shapes[at])


def normalization(draft, at):
    shape, layer = draft.shapes[at], "Normalization"
    possible = ARGUMENTS[layer]["axis"] if len(shape) > 1 else [-1, None]
    axis = draft.pick(layer, "axis", possible)
    sources = ARGUMENTS[layer]["mean and variance"]
    source = draft.pick(layer, "mean and variance", sources if axis is not None else sources[:2])
    args = {"axis": axis, "invert": draft.pick(layer, "invert")}
    if source == "numbers":
        args |= {"mean": 0.25, "variance": 2.0}
    elif source == "of the last axis":
        last = shape[(axis[-1] if isinstance(axis, list) else axis) - (axis != -1)]
        args |= {"mean": several(last, -0.5), "variance": several(last, 0.5)}
    return draft.add(layer, args, [at], shape)


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Rescaling": ((1, 2, 3), rescaling),
    "Normalization": ((1, 2, 3), normalization),
}
