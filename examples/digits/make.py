"""Makes what this example is given: digits.json, train.npz and test.npz.

Run once, by hand; needs Keras and scikit-learn. The order of the images is shuffled with a fixed
seed before the last 360 are held out, since in the original the writers come one after the other.
"""
import keras
import numpy as np
from sklearn.datasets import load_digits

layers = keras.layers
model = keras.Sequential(
    [
        layers.Input((64,), name="image"),
        layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax", name="digit"),
    ],
    name="digits",
)
model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"])
with open("digits.json", "w") as file:
    file.write(model.to_json(indent=1))

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.target))
x = (digits.data[order] / 16).astype(np.float32)  # 8x8 counts of 0 to 16 dark pixels
y = digits.target[order].astype(np.uint8)
np.savez_compressed("train.npz", image=x[:-360], digit=y[:-360])
np.savez_compressed("test.npz", image=x[-360:], digit=y[-360:])
