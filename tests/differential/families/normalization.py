"""Normalizations."""

ARGUMENTS = {
    "BatchNormalization": {
        "axis": [-1, 1],
        "momentum": [0.99, 0.5],
        "epsilon": [1e-3, 1e-5],
        "center": [True, False],
        "scale": [True, False],
        "trainable": [True, False],
    },
    "LayerNormalization": {
        "axis": [-1, 1, [1, 2]],
        "epsilon": [1e-3, 1e-5],
        "center": [True, False],
        "scale": [True, False],
    },
}


def batch_normalization(draft, at):
    return draft.add("BatchNormalization", draft.arguments("BatchNormalization"), [at], draft.shapes[at])


def layer_normalization(draft, at):
    axes = ARGUMENTS["LayerNormalization"]["axis"]
    possible = axes if len(draft.shapes[at]) > 1 else axes[:2]
    axis = draft.pick("LayerNormalization", "axis", possible)
    args = draft.arguments("LayerNormalization", axis=axis)
    return draft.add("LayerNormalization", args, [at], draft.shapes[at])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "BatchNormalization": ((1, 2, 3), batch_normalization),
    "LayerNormalization": ((1, 2, 3), layer_normalization),
}
