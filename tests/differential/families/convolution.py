"""Convolutions and poolings."""

from families.common import ACTIVATIONS
from shapes import from_planes, pair, planes, window

ARGUMENTS = {
    "Conv2D": {
        "filters": [2, 4, 8, 34],
        "kernel_size": [1, 2, 3, [3, 2]],
        "strides": [1, 2, [2, 1]],
        "padding": ["valid", "same"],
        "dilation_rate": [1, 2],
        "groups": [1, 2],
        "activation": ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": ["channels_last", "channels_first"],
    },
    "MaxPooling2D": {
        "pool_size": [1, 2, 3, [2, 3]],
        "strides": [None, 1, 2],
        "padding": ["valid", "same"],
        "data_format": ["channels_last", "channels_first"],
    },
    "GlobalAveragePooling2D": {
        "keepdims": [False, True],
        "data_format": ["channels_last", "channels_first"],
    },
}


def conv2d(draft, at):
    strides = draft.pick("Conv2D", "strides")
    dilation = draft.pick("Conv2D", "dilation_rate", [1] if strides != 1 else [1, 2])
    args = draft.arguments("Conv2D", strides=strides, dilation_rate=dilation)
    height, width, channels = planes(draft.shapes[at], args["data_format"])
    kernel, stride = pair(args["kernel_size"]), pair(strides)
    out = [
        window(size, k, s, args["padding"], dilation)
        for size, k, s in zip([height, width], kernel, stride)
    ]
    if min(out) < 1 or channels % args["groups"]:
        return None
    return draft.add("Conv2D", args, [at], from_planes(out + [args["filters"]], args["data_format"]))


def max_pooling(draft, at):
    args = draft.arguments("MaxPooling2D")
    height, width, channels = planes(draft.shapes[at], args["data_format"])
    pool = pair(args["pool_size"])
    strides = pool if args["strides"] is None else pair(args["strides"])
    out = [window(s, k, t, args["padding"]) for s, k, t in zip([height, width], pool, strides)]
    if min(out) < 1:
        return None
    return draft.add("MaxPooling2D", args, [at], from_planes(out + [channels], args["data_format"]))


def global_pooling(draft, at):
    args = draft.arguments("GlobalAveragePooling2D")
    channels = planes(draft.shapes[at], args["data_format"])[2]
    shape = from_planes([1, 1, channels], args["data_format"]) if args["keepdims"] else [channels]
    return draft.add("GlobalAveragePooling2D", args, [at], shape)


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Conv2D": ((3,), conv2d),
    "MaxPooling2D": ((3,), max_pooling),
    "GlobalAveragePooling2D": ((3,), global_pooling),
}
