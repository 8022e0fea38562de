"""Poolings of windows and of whole images, over one, two and three dimensions."""

from families.common import FORMATS
from shapes import from_planes, planes, sizes, window

WINDOWS = {1: [1, 2, 3], 2: [1, 2, 3, [2, 3]], 3: [2, [1, 2, 3]]}

ARGUMENTS = {
    f"{kind}Pooling{rank}D": {
        "pool_size": windows,
        "strides": [None, 1, 2],
        "padding": ["valid", "same"],
        "data_format": FORMATS,
    }
    for kind in ("Max", "Average")
    for rank, windows in WINDOWS.items()
}
GLOBAL = {
    f"Global{kind}Pooling{rank}D": {"keepdims": [False, True], "data_format": FORMATS}
    for kind in ("Max", "Average")
    for rank in WINDOWS
}
ARGUMENTS.update(GLOBAL)


def pooling(layer):
    def build(draft, at):
        args = draft.arguments(layer)
        image = planes(draft.shapes[at], args["data_format"])
        pool = sizes(args["pool_size"], len(image) - 1)
        strides = pool if args["strides"] is None else sizes(args["strides"], len(image) - 1)
        out = [window(s, k, t, args["padding"]) for s, k, t in zip(image, pool, strides)]
        if min(out) < 1:
            return None
        return draft.add(layer, args, [at], from_planes(out + image[-1:], args["data_format"]))

    return build


def global_pooling(layer):
    def build(draft, at):
        masked = layer == "GlobalAveragePooling1D" and draft.is_masked(at)  # a mask of steps
        args = draft.arguments(layer, **({"data_format": "channels_last"} if masked else {}))
        image = planes(draft.shapes[at], args["data_format"])
        one = [1] * (len(image) - 1) + image[-1:]
        shape = from_planes(one, args["data_format"]) if args["keepdims"] else image[-1:]
        return draft.add(layer, args, [at], shape)

    return build


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    layer: ((int(layer[-2]) + 1,), global_pooling(layer) if layer in GLOBAL else pooling(layer))
    for layer in ARGUMENTS
}
