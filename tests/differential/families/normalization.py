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
    "GroupNormalization": {
        "groups": [1, 2, -1],
        "axis": [-1, 1],
        "epsilon": [1e-3, 1e-5],
        "center": [True, False],
        "scale": [True, False],
    },
    "RMSNormalization": {"axis": [-1, [-2, -1]], "epsilon": [1e-6, 1e-2]},
    "UnitNormalization": {"axis": [-1, 1, [1, 2]]},
}


def batch_normalization(draft, at):
    return draft.add("BatchNormalization", draft.arguments("BatchNormalization"), [at], draft.shapes[at])


def layer_normalization(draft, at):
    axes = ARGUMENTS["LayerNormalization"]["axis"]
    possible = axes if len(draft.shapes[at]) > 1 else axes[:2]
    axis = draft.pick("LayerNormalization", "axis", possible)
    args = draft.arguments("LayerNormalization", axis=axis)
    return draft.add("LayerNormalization", args, [at], draft.shapes[at])


def group_normalization(draft, at):
    args = draft.arguments("GroupNormalization")
    shape = draft.shapes[at]
    channels = shape[args["axis"] - (args["axis"] > 0)]
    if args["groups"] > 0 and channels % args["groups"]:
        return None
    return draft.add("GroupNormalization", args, [at], shape)


def rms_normalization(draft, at):
    axes = ARGUMENTS["RMSNormalization"]["axis"]
    axis = draft.pick("RMSNormalization", "axis", axes if len(draft.shapes[at]) > 1 else axes[:1])
    args = draft.arguments("RMSNormalization", axis=axis)
    return draft.add("RMSNormalization", args, [at], draft.shapes[at])


def unit_normalization(draft, at):
    """Of positive numbers: at zeros Keras's gradient is not a number."""
    axes = ARGUMENTS["UnitNormalization"]["axis"]
    axis = draft.pick("UnitNormalization", "axis", axes if len(draft.shapes[at]) > 1 else axes[:2])
    at = draft.add("Activation", {"activation": "softplus"}, [at], draft.shapes[at])
    return draft.add("UnitNormalization", {"axis": axis}, [at], draft.shapes[at])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "BatchNormalization": ((1, 2, 3), batch_normalization),
    "LayerNormalization": ((1, 2, 3), layer_normalization),
    "GroupNormalization": ((1, 2, 3), group_normalization),
    "RMSNormalization": ((1, 2, 3), rms_normalization),
    "UnitNormalization": ((1, 2, 3), unit_normalization),
}
