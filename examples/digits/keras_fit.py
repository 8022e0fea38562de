"""Trains digits.json in Keras as ./run trains it in Formwork; prints the seconds of its epochs.

The first epoch, in which TensorFlow traces and compiles, is not counted.
"""
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np

here = pathlib.Path(__file__).parent
epochs = int(sys.argv[1])
train = np.load(here / "train.npz")
text = (here / "digits.json").read_text()
model = keras.models.model_from_json(text)
settings = json.loads(text)["compile_config"]
model.compile(
    optimizer=keras.optimizers.deserialize(settings["optimizer"]),
    loss=settings["loss"],
    metrics=settings["metrics"],
)
model.fit(train["image"], train["digit"], batch_size=32, epochs=1, verbose=0)
start = time.perf_counter()
model.fit(train["image"], train["digit"], batch_size=32, epochs=epochs, verbose=0)
print(f"{time.perf_counter() - start:.3f}")
