"""Convolutions over one, two and three dimensions: plain, depthwise, separable and transposed."""

from families.common import ACTIVATIONS, FORMATS, FEW_ACTIVATIONS
from shapes import from_planes, planes, sizes, window

ARGUMENTS = {
    "Conv1D": {
        "filters": [2, 3, 8, 34],
        "kernel_size": [1, 2, 3, 5],
        "strides": [1, 2, 3],
        "padding": ["valid", "same", "causal"],
        "dilation_rate": [1, 2],
        "groups": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "Conv2D": {
        "filters": [2, 4, 8, 34],
        "kernel_size": [1, 2, 3, [3, 2]],
        "strides": [1, 2, [2, 1]],
        "padding": ["valid", "same"],
        "dilation_rate": [1, 2],
        "groups": [1, 2],
        "activation": ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "Conv3D": {
        "filters": [1, 3],
        "kernel_size": [1, 2, [1, 2, 3]],
        "strides": [1, [1, 2, 2]],
        "padding": ["valid", "same"],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "Conv1DTranspose": {
        "filters": [2, 3, 8, 34],
        "kernel_size": [1, 2, 3, 5],
        "strides": [1, 2, 3],
        "padding": ["valid", "same"],
        "output_padding": [None, 0, 1],
        "dilation_rate": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "Conv2DTranspose": {
        "filters": [2, 4, 8, 34],
        "kernel_size": [1, 2, 3, [3, 2]],
        "strides": [1, 2],  # with others TensorFlow crashes
        "padding": ["valid", "same"],
        "output_padding": [None, 0, [1, 0]],
        "dilation_rate": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "Conv3DTranspose": {
        "filters": [1, 3],
        "kernel_size": [1, 2, [1, 2, 3]],
        "strides": [1, [1, 2, 2]],
        "padding": ["valid", "same"],
        "output_padding": [None, 0],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "DepthwiseConv1D": {
        "kernel_size": [1, 2, 3],
        "strides": [1, 2],
        "padding": ["valid", "same"],
        "depth_multiplier": [1, 2, 3],
        "dilation_rate": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "DepthwiseConv2D": {
        "kernel_size": [1, 2, 3, [3, 2]],
        "strides": [1, 2],  # TensorFlow takes no others
        "padding": ["valid", "same"],
        "depth_multiplier": [1, 2, 3],
        "dilation_rate": [1, 2, [2, 1]],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "SeparableConv1D": {
        "filters": [1, 8, 17],
        "kernel_size": [1, 2, 3],
        "strides": [1, 2],
        "padding": ["valid", "same"],
        "depth_multiplier": [1, 2],
        "dilation_rate": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
    "SeparableConv2D": {
        "filters": [1, 8, 17],
        "kernel_size": [1, 2, 3, [2, 3]],
        "strides": [1, 2],
        "padding": ["valid", "same"],
        "depth_multiplier": [1, 2],
        "dilation_rate": [1, 2],
        "activation": FEW_ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": FORMATS,
    },
}


def positions(image, args):
    """The sizes of the spatial dimensions after a convolution."""
    rank = len(image) - 1
    windows = [sizes(args.get(name, 1), rank) for name in ("kernel_size", "strides", "dilation_rate")]
    return [window(size, k, s, args["padding"], d) for size, k, s, d in zip(image, *windows)]


def strided(draft, layer):
    """Arguments with strides or dilations, not both."""
    strides = draft.pick(layer, "strides")
    fixed = {"strides": strides}
    if "dilation_rate" in ARGUMENTS[layer]:
        both = ARGUMENTS[layer]["dilation_rate"] if strides == 1 else [1]
        fixed["dilation_rate"] = draft.pick(layer, "dilation_rate", both)
    return draft.arguments(layer, **fixed)


def convolution(layer):
    def build(draft, at):
        args = strided(draft, layer)
        image = planes(draft.shapes[at], args["data_format"])
        out = positions(image, args)
        channels = (image[-1], args["filters"])
        if min(out) < 1 or any(count % args.get("groups", 1) for count in channels):
            return None
        return draft.add(layer, args, [at], from_planes(out + [args["filters"]], args["data_format"]))

    return build


def transposed(layer):
    def build(draft, at):
        args = strided(draft, layer)
        image = planes(draft.shapes[at], args["data_format"])
        rank, out = len(image) - 1, []
        windows = [sizes(args.get(name, 1), rank) for name in ("kernel_size", "strides", "dilation_rate")]
        more = sizes(args["output_padding"], rank) if args["output_padding"] is not None else [None] * rank
        for size, kernel, stride, dilation, padding in zip(image, *windows, more):
            kernel = (kernel - 1) * dilation + 1
            rest = stretched(kernel, stride, padding, args["padding"])
            if rest is None:
                return None
            out.append((size - 1) * stride + rest)
        return draft.add(layer, args, [at], from_planes(out + [args["filters"]], args["data_format"]))

    return build


def stretched(kernel, stride, more, padding):
    """How far the output goes from its last stride on; None if Keras or TensorFlow refuses it."""
    if more is not None and more >= stride:
        return None
    if padding == "valid":
        return max(kernel, stride) if more is None else kernel + more
    rest = stride if more is None else kernel % 2 + more
    return rest if 1 <= rest <= stride else None


def depthwise(layer):
    """Also separable, which ends in `filters` of its own."""

    def build(draft, at):
        args = draft.arguments(layer)
        image = planes(draft.shapes[at], args["data_format"])
        out = positions(image, args)
        if min(out) < 1:
            return None
        filters = args.get("filters", image[-1] * args["depth_multiplier"])
        return draft.add(layer, args, [at], from_planes(out + [filters], args["data_format"]))

    return build


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Conv1D": ((2,), convolution("Conv1D")),
    "Conv2D": ((3,), convolution("Conv2D")),
    "Conv3D": ((4,), convolution("Conv3D")),
    "Conv1DTranspose": ((2,), transposed("Conv1DTranspose")),
    "Conv2DTranspose": ((3,), transposed("Conv2DTranspose")),
    "Conv3DTranspose": ((4,), transposed("Conv3DTranspose")),
    "DepthwiseConv1D": ((2,), depthwise("DepthwiseConv1D")),
    "DepthwiseConv2D": ((3,), depthwise("DepthwiseConv2D")),
    "SeparableConv1D": ((2,), depthwise("SeparableConv1D")),
    "SeparableConv2D": ((3,), depthwise("SeparableConv2D")),
}
