"""The arithmetic of shapes that layers' families share; shapes are without the batch."""


def product(shape):
    result = 1
    for size in shape:
        result *= size
    return result


def window(size, kernel, stride, padding, dilation=1):
    """The output's size of a convolution or pooling along one dimension."""
    if padding in ("same", "causal"):
        return -(-size // stride)
    return (size - (kernel - 1) * dilation - 1) // stride + 1


def sizes(value, count):
    return list(value) if isinstance(value, list) else [value] * count


def planes(shape, data_format):
    """The spatial dimensions, then the channels."""
    return shape if data_format == "channels_last" else shape[1:] + shape[:1]


def from_planes(shape, data_format):
    return shape if data_format == "channels_last" else shape[-1:] + shape[:-1]
