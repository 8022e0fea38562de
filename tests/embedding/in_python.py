"""A library in Python: predicts, differentiates and trains on NumPy arrays, as Keras does.

Both begin with the library's weights. Tolerances: sums of up to 64 products in float32, in another
order, differ by 64 * 2^-24 = 4e-6 relative to their terms; ten steps of Adam, whose first divide
gradients by their own size, carry that on tenfold.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/python"))

import keras
import numpy as np
import tensorflow as tf
from formwork_model import Model

library, path = sys.argv[1:]
ours = Model(library, "digits_shared", seed=3)
theirs = keras.models.model_from_json(pathlib.Path(path).read_text())
config = theirs.get_compile_config()
assert config["optimizer"]["config"]["name"] == "adam" and config["loss"] == "sparse_categorical_crossentropy"

names = [f"{layer.name}/{weight.name}" for layer in theirs.layers for weight in layer.weights]
theirs.set_weights([ours.variables()[name] for name in names])
random = np.random.default_rng(0)
x = random.random((20, 64), np.float32)
y = random.integers(0, 10, 20).astype(np.int32)
close = dict(rtol=1e-5, atol=1e-6)

np.testing.assert_allclose(ours.predict(image=x)["digit"], theirs(x), **close)

cotangent = random.standard_normal((20, 10)).astype(np.float32)
variable = tf.Variable(x)
with tf.GradientTape(persistent=True) as tape:
    answer = theirs(variable)
    loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, answer))
pullback = ours.input_gradients(image=x, digit_gradient=cotangent)["image_gradient"]
np.testing.assert_allclose(pullback, tape.gradient(answer, variable, cotangent), rtol=1e-4, atol=1e-6)
before = ours.state.copy()
result = ours.loss_input_gradients(image=x, digit=y)
np.testing.assert_allclose(result["loss"], loss, **close)
np.testing.assert_allclose(result["image_gradient"], tape.gradient(loss, variable), rtol=1e-4, atol=1e-7)
assert (ours.state == before).all(), "a gradient has changed the state"

for _ in range(10):
    mine, keras_loss = ours.train_step(image=x, digit=y)["loss"], theirs.train_on_batch(x, y)[0]
for name, weight in zip(names, theirs.get_weights()):
    np.testing.assert_allclose(ours.variables()[name], weight, rtol=1e-4, atol=1e-5)

for wrong, problem in [
    (lambda: ours.predict(image=x[:, :63]), "shape [20, 63]"),
    (lambda: ours.train_step(image=x, digit=y + 10), "must be in [0, 10)"),
    (lambda: ours.predict(picture=x), "takes ['image']"),
]:
    try:
        wrong()
    except (TypeError, ValueError) as error:
        assert problem in str(error), error
    else:
        raise AssertionError("a mistake was not told: " + problem)
