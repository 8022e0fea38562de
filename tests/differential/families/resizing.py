"""Layers that pad, crop and enlarge images."""

from families.common import FORMATS
from shapes import from_planes, planes, sizes

ARGUMENTS = {
    "ZeroPadding1D": {"padding": [0, 2, [1, 0]], "data_format": FORMATS},
    "ZeroPadding2D": {"padding": [1, [2, 0], [[0, 1], [2, 1]]], "data_format": FORMATS},
    "ZeroPadding3D": {"padding": [1, [0, 1, 0], [[0, 1], [1, 0], [0, 0]]], "data_format": FORMATS},
    "Cropping1D": {"cropping": [0, 1, [1, 0], [0, 2]]},
    "Cropping2D": {"cropping": [1, [1, 0], [[0, 1], [2, 1]]], "data_format": FORMATS},
    "Cropping3D": {"cropping": [[0, 1, 0], [[0, 1], [1, 0], [0, 0]]], "data_format": FORMATS},
    "UpSampling1D": {"size": [1, 2, 3]},
    "UpSampling2D": {
        "size": [1, 2, [3, 1], [2, 4]],
        "data_format": FORMATS,
        "interpolation": ["nearest", "bilinear"],
    },
    "UpSampling3D": {"size": [1, 2, [1, 3, 1]], "data_format": FORMATS},
}


def margins(value, rank):
    """What is added to or taken from each dimension."""
    if rank == 1 and isinstance(value, list):
        return [sum(value)]
    return [sum(v) if isinstance(v, list) else 2 * v for v in sizes(value, rank)]


def on_images(layer, change):
    """`change` gives the spatial sizes anew."""

    def build(draft, at):
        args = draft.arguments(layer)
        data_format = args.get("data_format", "channels_last")
        image = planes(draft.shapes[at], data_format)
        out = change(image[:-1], args)
        if min(out) < 1:
            return None
        return draft.add(layer, args, [at], from_planes(out + image[-1:], data_format))

    return build


def padded(shape, args):
    return [size + m for size, m in zip(shape, margins(args["padding"], len(shape)))]


def cropped(shape, args):
    return [size - m for size, m in zip(shape, margins(args["cropping"], len(shape)))]


def enlarged(shape, args):
    return [size * factor for size, factor in zip(shape, sizes(args["size"], len(shape)))]


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    f"{name}{rank}D": ((rank + 1,), on_images(f"{name}{rank}D", change))
    for name, change in (("ZeroPadding", padded), ("Cropping", cropped), ("UpSampling", enlarged))
    for rank in (1, 2, 3)
}
