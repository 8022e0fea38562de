"""Recurrent layers."""

SHARED = {
    "units": [1, 4, 9],
    "activation": ["tanh", "linear", "relu", "sigmoid"],
    "use_bias": [True, False],
    "return_sequences": [False, True],
    "go_backwards": [False, True],
    "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    "dropout": [0.0, 0.3],
    "recurrent_dropout": [0.0, 0.2],
}
GATED = {**SHARED, "recurrent_activation": ["sigmoid", "tanh", "relu"]}

ARGUMENTS = {
    "SimpleRNN": SHARED,
    "LSTM": {**GATED, "unit_forget_bias": [True, False]},
    "GRU": {**GATED, "reset_after": [True, False]},
}


def recurrent(layer):
    def build(draft, at):
        args = draft.arguments(layer)
        steps = [draft.shapes[at][0]] if args["return_sequences"] else []
        return draft.add(layer, args, [at], steps + [args["units"]])

    return build


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {layer: ((2,), recurrent(layer)) for layer in ARGUMENTS}
