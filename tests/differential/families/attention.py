"""Attention. A node's tensors are the query, the value and, if there is one, the key."""

from families.core import flatten

ARGUMENTS = {
    "MultiHeadAttention": {
        "num_heads": [1, 2, 3],
        "key_dim": [1, 4],
        "value_dim": [None, 3],
        "dropout": [0.0, 0.3],
        "use_bias": [True, False],
        "output_shape": [None, 5, [2, 3]],
        "attention_axes": [None, 1, [1, 2], -2],
        # Of the call:
        "attends to": ["itself", "another", "another by a third"],
        "use_causal_mask": [False, True],
        "return_attention_scores": [False, True],
    }
}


def another(draft, at):
    """A tensor like `at` but for the last dimension, whose mask is the same if there is one."""
    args = draft.arguments("Dense", activation="tanh")
    return draft.add("Dense", args, [at], draft.shapes[at][:-1] + [args["units"]])


def attention(draft, at):
    shape = draft.shapes[at]
    fixed = {}
    if len(shape) == 2:
        possible = [a for a in ARGUMENTS["MultiHeadAttention"]["attention_axes"] if not isinstance(a, list)]
        fixed["attention_axes"] = draft.pick("MultiHeadAttention", "attention_axes", possible)
    elif draft.is_masked(at):
        return None
    else:
        fixed["use_causal_mask"] = False
    args = draft.arguments("MultiHeadAttention", **fixed)
    kind, scores = args.pop("attends to"), args.pop("return_attention_scores")
    causal = args.pop("use_causal_mask")
    others = {"itself": 0, "another": 1, "another by a third": 2}[kind]
    tensors = [at, *(another(draft, at) for _ in range(others))]
    of_call = {"return_attention_scores": scores, "use_causal_mask": causal}
    own = args["output_shape"]
    last = shape[-1:] if own is None else [own] if isinstance(own, int) else own
    if len(shape) == 3 and isinstance(own, list):  # of more dimensions than anything takes
        return None
    node = draft.add("MultiHeadAttention", args, tensors, shape[:-1] + last, call=of_call)
    if not scores or draft.rng.random() < 0.5 or len(shape) > 2:
        return node
    steps = shape[0]
    scores = draft.add("Output", {"index": 1}, [node], [args["num_heads"], steps, steps])
    # With their mask, of four dimensions, Keras cannot do much.
    return flatten(draft, scores) if causal or draft.is_masked(at) else scores


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {"MultiHeadAttention": ((2, 3), attention)}
