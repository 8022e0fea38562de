"""Recurrent layers, alone and in wrappers.

A node's last tensors are its initial state if it has "initial", the number of them; "Output" nodes are
further outputs of the node they come from.
"""

SHARED = {
    "units": [1, 4, 9],
    "activation": ["tanh", "linear", "relu", "sigmoid"],
    "use_bias": [True, False],
    "return_sequences": [False, True],
    "return_state": [False, True],
    "go_backwards": [False, True],
    "zero_output_for_mask": [False, True],
    "unroll": [False, True],
    "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    "dropout": [0.0, 0.3],
    "recurrent_dropout": [0.0, 0.2],
    "initial_state": [False, True],  # of the call
}
GATED = {**SHARED, "recurrent_activation": ["sigmoid", "tanh", "relu"]}

RECURRENT = {
    "SimpleRNN": SHARED,
    "LSTM": {**GATED, "unit_forget_bias": [True, False]},
    "GRU": {**GATED, "reset_after": [True, False]},
}
ARGUMENTS = {
    **RECURRENT,
    "Bidirectional": {
        "layer": list(RECURRENT),
        "backward_layer": [None, "own"],
        "merge_mode": ["concat", "sum", "ave", "mul", None],
        "initial_state": [False, True],
    },
    "TimeDistributed": {"layer": ["Dense", "BatchNormalization", "Sequential", "Conv1D", "LSTM", "Flatten"]},
}
SEQUENCE_OF_SEQUENCES = ("Conv1D", "LSTM", "Flatten")


def states_of(layer):
    return 2 if layer == "LSTM" else 1


def vector(draft, at, size):
    """A vector of that size made from a sequence."""
    pooled = draft.add("GlobalMaxPooling1D", {}, [at], draft.shapes[at][-1:])
    args = draft.arguments("Dense", units=size, activation="tanh")
    return draft.add("Dense", args, [pooled], [size])


def add(draft, layer, args, at, outputs, states):
    """The layer, called with an initial state if `states` are sizes; `outputs` are the shapes of what
    it returns, one of which the model goes on with."""
    given = [vector(draft, at, size) for size in states or []]
    node = draft.add(layer, args, [at, *given], outputs[0], initial=len(given))
    chosen = draft.rng.randrange(len(outputs))
    return draft.add("Output", {"index": chosen}, [node], outputs[chosen]) if chosen else node


def cell(draft, layer, **fixed):
    """Arguments of the layer and whether it is called with a state."""
    args = draft.arguments(layer, **fixed)
    return args, args.pop("initial_state")


def output(args, steps):
    return ([steps] if args["return_sequences"] else []) + [args["units"]]


def recurrent(layer):
    def build(draft, at):
        args, begins = cell(draft, layer)
        count = states_of(layer)
        states = [[args["units"]]] * count if args["return_state"] else []
        initial = [args["units"]] * count if begins else None
        return add(draft, layer, args, at, [output(args, draft.shapes[at][0]), *states], initial)

    return build


def bidirectional(draft, at):
    layer, mode = draft.pick("Bidirectional", "layer"), draft.pick("Bidirectional", "merge_mode")
    args, _ = cell(draft, layer)
    wrapper = {"layer": {"layer": layer, "args": args}, "merge_mode": mode}
    if draft.pick("Bidirectional", "backward_layer") == "own":
        fixed = {n: args[n] for n in ("units", "return_sequences", "return_state")}
        own, _ = cell(draft, layer, go_backwards=not args["go_backwards"], **fixed)
        wrapper["backward_layer"] = {"layer": layer, "args": own}
    elif args["go_backwards"]:
        return None
    one = output(args, draft.shapes[at][0])
    outputs = [one, one] if mode is None else [one[:-1] + [one[-1] * (2 if mode == "concat" else 1)]]
    count = 2 * states_of(layer)
    states = [[args["units"]]] * count if args["return_state"] else []
    initial = [args["units"]] * count if draft.pick("Bidirectional", "initial_state") else None
    return add(draft, "Bidirectional", wrapper, at, outputs + states, initial)


def distributed(draft, at):
    steps, *inner = draft.shapes[at]
    fitting = [n for n in ARGUMENTS["TimeDistributed"]["layer"] if (n in SEQUENCE_OF_SEQUENCES) == (len(inner) == 2)]
    layer = draft.pick("TimeDistributed", "layer", fitting)
    if layer == "Dense":
        args = draft.arguments("Dense")
        shape = [args["units"]]
    elif layer == "BatchNormalization":
        args, shape = draft.arguments("BatchNormalization", axis=-1), inner
    elif layer == "Sequential":
        args, shape = dense_and_norm(draft)
    elif layer == "Conv1D":
        args, shape = {"filters": 3, "kernel_size": 2, "padding": "same"}, [inner[0], 3]
    elif layer == "LSTM":
        args, _ = cell(draft, "LSTM", dropout=0.0, recurrent_dropout=0.0, return_state=False)
        shape = output(args, inner[0])
    else:
        args, shape = {}, [inner[0] * inner[1]]
    wrapped = {"layer": {"layer": layer, "args": args}}
    return draft.add("TimeDistributed", wrapped, [at], [steps, *shape])


def dense_and_norm(draft):
    """A model of Dense and BatchNormalization, and the shape of what it returns."""
    dense_args, norm_args = draft.arguments("Dense"), draft.arguments("BatchNormalization", axis=-1)
    layers = [{"layer": "Dense", "args": dense_args}, {"layer": "BatchNormalization", "args": norm_args}]
    return {"layers": layers}, [dense_args["units"]]


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    **{layer: ((2,), recurrent(layer)) for layer in RECURRENT},
    "Bidirectional": ((2,), bidirectional),
    "TimeDistributed": ((2, 3), distributed),
}
