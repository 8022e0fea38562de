"""Embedding, which only tokens lead to."""

ARGUMENTS = {
    "Embedding": {"input_dim": [11, 50], "output_dim": [1, 3, 8], "mask_zero": [False, True]},
}


def embedding(draft, at):
    args = draft.arguments("Embedding")
    return draft.add("Embedding", args, [at], draft.shapes[at] + [args["output_dim"]])


# None is grown on top of another layer.
BUILDERS = {}
