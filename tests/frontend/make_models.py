"""Writes the golden models of this folder: python make_models.py [FOLDER].

Each is a small `.keras` archive with random weights, and a JSON file with inputs and what Keras
computes from them: `predict` (training=False), `forward` (training=True) and the variables that
`forward` assigns. In float64, so that the comparison can be tight. Dropout has rate 0 where the
values are compared: its masks are Formwork's own. On TensorFlow, whose float64 gelu is replaced, since
it rounds the square root of 2 to float32, and which has no channels_first convolution on CPUs.
"""

import json
import math
import pathlib
import sys
import zipfile

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from keras.src.backend.tensorflow import nn

RANDOM = np.random.default_rng(20)


def exact_gelu(x, approximate=True):
    assert not approximate
    return 0.5 * x * (1 + tf.math.erf(x / tf.constant(math.sqrt(2), x.dtype)))


def conv_of_any_format(x, kernel, strides, padding, data_format, dilation_rate):
    if data_format != "channels_first":
        return keras_conv(x, kernel, strides, padding, data_format, dilation_rate)
    x = tf.transpose(x, (0, 2, 3, 1))
    y = keras_conv(x, kernel, strides, padding, "channels_last", dilation_rate)
    return tf.transpose(y, (0, 3, 1, 2))


keras_conv, nn.conv, nn.gelu = nn.conv, conv_of_any_format, exact_gelu


def branches():
    """Shared layers, models inside models, several inputs and outputs by name."""
    left = keras.Input((4,), name="left")
    right = keras.Input((4,), name="right")
    shared = layers.Dense(5, activation="tanh", name="shared")
    inner = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(3, activation="gelu", use_bias=False),
            layers.BatchNormalization(momentum=0.8, epsilon=0.01),
            layers.Activation("relu"),
            layers.Dropout(0),
        ],
        name="inner",
    )
    a, b = inner(shared(left)), inner(shared(right))
    pair = keras.Input((6,), name="pair")
    two = keras.Model(
        pair, [layers.Dense(3, activation="sigmoid")(pair), layers.Dense(2)(pair)], name="two"
    )
    p, q = two(layers.Concatenate()([a, b]))
    total = layers.Add()([a, p, layers.Multiply()([b, b])])
    frozen = layers.BatchNormalization(scale=False, name="frozen", trainable=False)(total)
    outputs = {"z": layers.Dense(4, activation="softmax")(frozen), "q": q}
    return keras.Model({"right": right, "left": left}, outputs), {}


def images():
    """Convolutions and pooling with paddings, strides, dilation, groups; normalization by axis."""
    image = keras.Input((9, 7, 4), name="image")
    x = layers.Conv2D(6, 3, padding="same", groups=2, activation="relu")(image)
    x = layers.BatchNormalization(axis=1, center=False)(x)
    x = layers.MaxPooling2D((3, 2), strides=(2, 3), padding="same")(x)
    y = layers.Conv2D(4, (2, 3), strides=(2, 1), use_bias=False)(image)
    y = layers.LayerNormalization(axis=[1, 3], epsilon=0.1)(y)
    z = layers.Conv2D(3, 3, dilation_rate=(2, 1), padding="same")(image)
    z = layers.GlobalAveragePooling2D(keepdims=True)(z)
    z = layers.Reshape((-1,))(z)
    first = layers.Reshape((4, 9, 7))(image)
    first = layers.Conv2D(2, 2, strides=2, data_format="channels_first", activation="softmax")(first)
    first = layers.MaxPooling2D(2, strides=1, data_format="channels_first")(first)
    kept = layers.GlobalAveragePooling2D(data_format="channels_first")(first)
    first = layers.Flatten(data_format="channels_first")(first)
    merged = layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(y), z, first, kept])
    return keras.Model(image, layers.Dense(3)(layers.LayerNormalization(scale=False)(merged))), {}


def sequences():
    """Embedding and LSTM, forwards and backwards."""
    words = keras.Input((6,), batch_size=3, dtype="int32", name="words")
    x = layers.Embedding(11, 3)(words)
    x = layers.LSTM(4, return_sequences=True, go_backwards=True)(x)
    x = layers.Concatenate()([x, layers.LSTM(2, return_sequences=True, use_bias=False)(x)])
    x = layers.LSTM(3, activation="relu", recurrent_activation="tanh", unit_forget_bias=False)(x)
    return keras.Model(words, x), {"words": RANDOM.integers(0, 11, (3, 6))}


def compiled():
    """A float32 model after three steps of Adam."""
    model = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="relu"), layers.Dropout(0.5), layers.Dense(2)]
    )
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    x, y = RANDOM.normal(size=(12, 3)), RANDOM.normal(size=(12, 2))
    model.fit(x, y, batch_size=4, epochs=1, verbose=0)
    return model, {}


def randomize(model):
    for variable in model.variables:
        values = RANDOM.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(values) + 0.5 if "variance" in variable.path else values)


def listed(tensors, names):
    if not isinstance(tensors, dict):
        tensors = dict(zip(names, tensors if isinstance(tensors, list) else [tensors]))
    return {name: np.asarray(value).tolist() for name, value in tensors.items()}


def save(model, given, folder, name):
    path = folder / f"{name}.keras"
    inputs = {
        name: given[name] if name in given else RANDOM.normal(size=(3, *tensor.shape[1:])).round(2)
        for name, tensor in ((t._keras_history.operation.name, t) for t in model.inputs)
    }
    model.save(path)
    members = {i.filename: zipfile.ZipFile(path).read(i) for i in zipfile.ZipFile(path).infolist()}
    # HDF5 is mostly padding; Keras reads compressed archives as well.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data, zipfile.ZIP_DEFLATED, 9)
    names = getattr(model, "output_names", None) or [model.layers[-1].name]
    batch = inputs if len(inputs) > 1 else next(iter(inputs.values()))
    expected = {"inputs": {key: np.asarray(value).tolist() for key, value in inputs.items()}}
    expected["predict"] = listed(model(batch, training=False), names)
    if not model.compiled:
        before = [variable.numpy() for variable in model.variables]
        expected["forward"] = listed(model(batch, training=True), names)
        expected["assigned"] = [
            variable.numpy().tolist()
            for variable, old in zip(model.variables, before)
            if not np.array_equal(variable.numpy(), old)
        ]
    (folder / f"{name}.json").write_text(json.dumps(expected, indent=None) + "\n")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
    folder = folder if folder.is_dir() else folder.parent / "golden"
    for make in (branches, images, sequences, compiled):
        keras.backend.clear_session()
        keras.utils.set_random_seed(3)
        keras.config.set_floatx("float32" if make is compiled else "float64")
        model, given = make()
        if make is not compiled:
            randomize(model)
        save(model, given, folder, make.__name__)


if __name__ == "__main__":
    main()
