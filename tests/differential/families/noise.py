"""Layers that are random in training, for which reference.py gives Keras the numbers that Formwork draws,
and the one that only adds to the loss."""

from families.activation import of_same_shape

SHARED = ["none", "batch", "first", "batch and last"]  # along which axes one number serves all

ARGUMENTS = {
    "Dropout": {"rate": [0.0, 0.1, 0.5, 0.9], "seed": [None, 7], "noise_shape": SHARED},
    "SpatialDropout1D": {"rate": [0.0, 0.3], "seed": [None, 7]},
    "SpatialDropout2D": {"rate": [0.0, 0.3], "data_format": ["channels_last", "channels_first"]},
    "SpatialDropout3D": {"rate": [0.0, 0.3], "data_format": ["channels_last", "channels_first"]},
    "AlphaDropout": {"rate": [0.0, 0.2, 0.5], "noise_shape": SHARED},
    "GaussianDropout": {"rate": [0.0, 0.2, 0.5], "seed": [None, 7]},
    "GaussianNoise": {"stddev": [0.0, 0.1, 1.0], "seed": [None, 7]},
    "ActivityRegularization": {"l1": [0.0, 0.1], "l2": [0.0, 0.05]},
}


def noise_shape(kind, shape):
    """null is the input's size, and so is a size given."""
    return {
        "none": None,
        "batch": [1, *shape],
        "first": [None, 1, *shape[1:]],
        "batch and last": [1, *[None] * (len(shape) - 1), 1],
    }[kind]


def shaped(layer):
    def build(draft, at):
        args = draft.arguments(layer)
        args["noise_shape"] = noise_shape(args["noise_shape"], draft.shapes[at])
        return draft.add(layer, args, [at], draft.shapes[at])

    return build


def volumes(draft, at):
    """On an image, taken as a volume of one layer."""
    image = draft.shapes[at]
    args = draft.arguments("SpatialDropout3D")
    volume = [1, *image] if args["data_format"] == "channels_last" else [image[0], 1, *image[1:]]
    at = draft.add("Reshape", {"target_shape": volume}, [at], volume)
    at = draft.add("SpatialDropout3D", args, [at], volume)
    return draft.add("Reshape", {"target_shape": image}, [at], image)


# Layer -> the ranks (without the batch) that it takes, and how it is drawn.
BUILDERS = {
    "Dropout": ((1, 2, 3), shaped("Dropout")),
    "SpatialDropout1D": ((2,), of_same_shape("SpatialDropout1D")),
    "SpatialDropout2D": ((3,), of_same_shape("SpatialDropout2D")),
    "SpatialDropout3D": ((3,), volumes),
    "AlphaDropout": ((1, 2, 3), shaped("AlphaDropout")),
    "GaussianDropout": ((1, 2, 3), of_same_shape("GaussianDropout")),
    "GaussianNoise": ((1, 2, 3), of_same_shape("GaussianNoise")),
    "ActivityRegularization": ((1, 2, 3), of_same_shape("ActivityRegularization")),
}
