"""Where Keras on TensorFlow departs from Keras: brings it back, so that it can be compared with."""

import math

import keras
import tensorflow as tf
from keras.src.backend.tensorflow import image, nn, numpy


def dense_gradients():
    """Gives optimizers the gradient of an Embedding as one tensor.

    TensorFlow's is a list of rows that may name a row twice, and Keras's optimizers square it row
    by row: Adam's second moment is then the sum of squares where Keras on JAX or PyTorch, and the
    optimizer's formula, have the square of the sum.
    """
    original = keras.optimizers.Optimizer.apply

    def apply(optimizer, gradients, trainable_variables=None):
        dense = [tf.convert_to_tensor(g) if isinstance(g, tf.IndexedSlices) else g for g in gradients]
        return original(optimizer, dense, trainable_variables)

    keras.optimizers.Optimizer.apply = apply


def exact_gelu():
    """TensorFlow takes the root of two in float32 whatever the precision: 5e-9 off in float64."""
    original = nn.gelu

    def gelu(x, approximate=True):
        if approximate:
            return original(x, approximate)
        return 0.5 * x * (1 + tf.math.erf(x / tf.constant(math.sqrt(2), x.dtype)))

    nn.gelu = gelu


def volumes_plane_by_plane():
    """Pools volumes, channels last, over their planes and then over their depth: TensorFlow has no
    such pooling in float64. Both poolings are over planes, where it has."""

    def wrap(name):
        original = getattr(nn, name)

        def pool(inputs, pool_size, strides=None, padding="valid", data_format=None):
            if len(inputs.shape) != 5 or data_format == "channels_first":
                return original(inputs, pool_size, strides, padding, data_format)
            strides = strides or pool_size
            depth, channels = inputs.shape[1], inputs.shape[-1]
            planes = tf.reshape(inputs, [-1, *inputs.shape[2:]])
            planes = original(planes, pool_size[1:], strides[1:], padding, data_format)
            height, width = planes.shape[1:3]
            columns = tf.reshape(planes, [-1, depth, height * width, channels])
            y = original(columns, (pool_size[0], 1), (strides[0], 1), padding, data_format)
            return tf.reshape(y, [-1, y.shape[1], height, width, channels])

        setattr(nn, name, pool)

    wrap("max_pool")
    wrap("average_pool")


def bilinear_in_any_precision():
    """Enlarges images bilinearly, as UpSampling2D does, in their own type: TensorFlow does it in
    float32 whatever that is."""
    original = image.resize

    def along(x, axis, factor):
        size = x.shape[axis]
        at = (tf.range(size * factor, dtype=x.dtype) + 0.5) / factor - 0.5
        low = tf.floor(at)
        share = tf.reshape(at - low, [-1 if i == axis else 1 for i in range(4)])
        index = tf.cast(low, tf.int32)
        first, second = (tf.gather(x, tf.clip_by_value(i, 0, size - 1), axis=axis) for i in (index, index + 1))
        return first * (1 - share) + second * share

    def resize(images, size, interpolation="bilinear", **options):
        if interpolation != "bilinear":
            return original(images, size, interpolation=interpolation, **options)
        x = tf.convert_to_tensor(images)
        for axis in (1, 2):
            x = along(x, axis, size[axis - 1] // x.shape[axis])
        return x

    image.resize = resize


def exact_leaky_relu():
    """TensorFlow holds the slope in float32 whatever the precision."""

    def leaky_relu(x, negative_slope=0.2):
        return tf.where(x > 0, x, tf.constant(negative_slope, x.dtype) * x)

    nn.leaky_relu = leaky_relu


def exact_rescaling():
    """Rescaling takes its numbers through float32 whatever the precision."""
    original = keras.layers.Rescaling.call

    def call(self, inputs):
        given = self.scale, self.offset
        self.scale, self.offset = (tf.constant(value, self.compute_dtype) for value in given)
        try:
            return original(self, inputs)
        finally:
            self.scale, self.offset = given

    keras.layers.Rescaling.call = call


def bias_by_broadcasting():
    """Adds a bias of shape (1, channels, 1, 1) to the channels, whatever the width.

    Keras takes it for one of the last dimension where that has as many elements, as in an image of
    two channels two pixels wide.
    """
    original = numpy.add

    def add(x1, x2):
        if tf.is_tensor(x1) and tf.is_tensor(x2) and x1.dtype == x2.dtype and len(x2.shape) > 1:
            return tf.add(x1, x2)
        return original(x1, x2)

    numpy.add = add


def pointwise_strides():
    """Takes every other pixel before a convolution of one pixel, not in it: TensorFlow's gradient
    of that with strides such as (2, 1) reads memory that is not its own, and may end the process.
    """
    original = nn.conv

    def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
        rank = len(kernel.shape) - 2
        last = data_format in (None, "channels_last")
        if last and tuple(kernel.shape[:rank]) == (1,) * rank:
            steps = (strides,) * rank if isinstance(strides, int) else strides
            inputs, strides = inputs[(slice(None), *(slice(None, None, s) for s in steps))], 1
        return original(inputs, kernel, strides, padding, data_format, dilation_rate)

    nn.conv = conv


def dilated_transposes():
    """Writes a dilated kernel out, with zeros between: TensorFlow's CPU kernels transpose no dilated
    convolution."""
    original = nn.conv_transpose

    def conv_transpose(
        inputs, kernel, strides=1, padding="valid", output_padding=None, data_format=None, dilation_rate=1
    ):
        kernel = tf.convert_to_tensor(kernel)
        rank = len(kernel.shape) - 2
        rates = [dilation_rate] * rank if isinstance(dilation_rate, int) else dilation_rate
        for axis, rate in enumerate(rates):
            if rate > 1:
                shape = list(kernel.shape)
                apart = tf.stack([kernel, *[tf.zeros_like(kernel)] * (rate - 1)], axis + 1)
                shape[axis] *= rate
                kernel = tf.reshape(apart, shape)
                kernel = tf.gather(kernel, tf.range(shape[axis] - rate + 1), axis=axis)
        return original(inputs, kernel, strides, padding, output_padding, data_format, 1)

    nn.conv_transpose = conv_transpose


def groups_one_by_one():
    """Convolves the groups of a convolution each by itself, channels last: Keras has XLA compile a
    convolution with groups, anew at every call, which takes most of a comparison's time."""
    original = nn.conv

    def conv(inputs, kernel, strides=1, padding="valid", data_format=None, dilation_rate=1):
        def convolve(x, k):
            return original(x, k, strides, padding, data_format, dilation_rate)

        groups = inputs.shape[-1] // kernel.shape[-2]
        if data_format == "channels_first" or groups == 1:
            return convolve(inputs, kernel)
        parts = tf.split(inputs, groups, -1), tf.split(tf.convert_to_tensor(kernel), groups, -1)
        return tf.concat([convolve(x, k) for x, k in zip(*parts)], -1)

    nn.conv = conv
