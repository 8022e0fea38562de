"""Recurrent layers."""

ARGUMENTS = {
    "LSTM": {
        "units": [1, 4, 9],
        "activation": ["tanh", "linear", "relu", "sigmoid"],
        "recurrent_activation": ["sigmoid", "tanh", "relu"],
        "use_bias": [True, False],
        "unit_forget_bias": [True, False],
        "return_sequences": [False, True],
        "go_backwards": [False, True],
        "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    },
}


def lstm(draft, at):
    args = draft.arguments("LSTM")
    steps = [draft.shapes[at][0]] if args["return_sequences"] else []
    return draft.add("LSTM", args, [at], steps + [args["units"]])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "LSTM": ((2,), lstm),
}
