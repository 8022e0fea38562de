"""Activations. `exponential` is left out, since a deep model of it overflows, and `glu`, since Keras
believes that it keeps its input's shape; activations.py compares both."""

ALL = [
    "linear", "relu", "tanh", "sigmoid", "softmax", "gelu", "celu", "elu", "hard_shrink",
    "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid",
    "log_softmax", "mish", "relu6", "selu", "silu", "swish", "soft_shrink", "softplus", "softsign",
    "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "tanh_shrink",
]  # fmt: skip

ARGUMENTS = {
    "Activation": {"activation": ALL},
    "ReLU": {
        "max_value": [None, 6.0, 1.5],
        "negative_slope": [0.0, 0.25],
        "threshold": [0.0, 0.5],
    },
    "LeakyReLU": {"negative_slope": [0.3, 0.01]},
    "ELU": {"alpha": [1.0, 0.4]},
    "PReLU": {"shared_axes": [None, [1], [1, 2]]},
    "Softmax": {"axis": [-1, 1, [1, 2], [-1]]},
}


def of_same_shape(layer):
    def build(draft, at):
        return draft.add(layer, draft.arguments(layer), [at], draft.shapes[at])

    return build


activation = of_same_shape("Activation")


def over_axes(layer, argument):
    """The axes that a tensor of this rank has."""

    def build(draft, at):
        if layer == "Softmax" and draft.is_masked(at):  # Keras cannot broadcast a mask of steps
            return None
        rank = len(draft.shapes[at])
        possible = [
            axes
            for axes in ARGUMENTS[layer][argument]
            if max(axes if isinstance(axes, list) else [axes or 0]) <= rank
        ]
        args = draft.arguments(layer, **{argument: draft.pick(layer, argument, possible)})
        return draft.add(layer, args, [at], draft.shapes[at])

    return build


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Activation": ((1, 2, 3), activation),
    "ReLU": ((1, 2, 3), of_same_shape("ReLU")),
    "LeakyReLU": ((1, 2, 3), of_same_shape("LeakyReLU")),
    "ELU": ((1, 2, 3), of_same_shape("ELU")),
    "PReLU": ((1, 2, 3), over_axes("PReLU", "shared_axes")),
    "Softmax": ((1, 2, 3), over_axes("Softmax", "axis")),
}
