"""Dense and the layers that only reshape."""

from families.common import ACTIVATIONS, INITIALIZERS
from shapes import product

ARGUMENTS = {
    "Dense": {
        "units": [1, 5, 8, 17],
        "activation": ACTIVATIONS,
        "use_bias": [True, False],
        "kernel_initializer": INITIALIZERS,
        "bias_initializer": ["zeros", "ones", "random_normal"],
    },
    "Flatten": {"data_format": ["channels_last", "channels_first"]},
    "Reshape": {"target_shape": ["reversed", "reversed with -1", "two", "two with -1"]},
    "Permute": {"dims": ["reversed", "rotated"]},
    "RepeatVector": {"n": [1, 3, 6]},
}


def dense(draft, at):
    args = draft.arguments("Dense")
    return draft.add("Dense", args, [at], draft.shapes[at][:-1] + [args["units"]])


def flatten(draft, at):
    return draft.add("Flatten", draft.arguments("Flatten"), [at], [product(draft.shapes[at])])


def reshape(draft, at):
    shape = draft.shapes[at]
    if len(shape) < 2:
        return None
    kind = draft.pick("Reshape", "target_shape")
    target = shape[::-1] if kind.startswith("reversed") else [shape[0], product(shape[1:])]
    written = [-1] + target[1:] if kind.endswith("-1") else target
    return draft.add("Reshape", {"target_shape": written}, [at], target)


def permute(draft, at):
    shape = draft.shapes[at]
    axes = list(range(1, len(shape) + 1))
    dims = axes[::-1] if draft.pick("Permute", "dims") == "reversed" else axes[1:] + axes[:1]
    return draft.add("Permute", {"dims": dims}, [at], [shape[d - 1] for d in dims])


def repeat_vector(draft, at):
    args = draft.arguments("RepeatVector")
    return draft.add("RepeatVector", args, [at], [args["n"], *draft.shapes[at]])


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Dense": ((1, 2, 3), dense),
    "Flatten": ((2, 3), flatten),
    "Reshape": ((2, 3), reshape),
    "Permute": ((1, 2, 3), permute),
    "RepeatVector": ((1,), repeat_vector),
}
