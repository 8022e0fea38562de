"""keras.applications as users save them: predictions and training steps against Keras, in float64.

    applications.py [WORD ...]

Each model is built for images of 32 x 32 pixels and ten classes, with weights that are a function of
its name alone. The first of two steps is one of the batch size that it was compiled for, the second
goes through the function for any size; of the larger two, which take long to compile, there is only
that. The optimizer is SGD: these models add biases before they normalize, whose gradients are zero
but for rounding, of which Adam would make steps.

What may differ is what compare.py allows random models in float64. These are deep, and normalize
three or four numbers where images have shrunk to a pixel: there roundings grow.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import compare
import keras
import numpy as np
import reference
from cases import Failure, run_cases

APPLICATIONS = ["ResNet50", "MobileNetV2", "EfficientNetB0", "DenseNet121"]
CONCRETE = APPLICATIONS[:2]
SHAPE, CLASSES, BATCH = (32, 32, 3), 10, 4


def build(name):
    """The model, compiled, and the specification that compare.py knows it by."""
    keras.backend.clear_session()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model = getattr(keras.applications, name)(
        weights=None, input_tensor=keras.Input(SHAPE, name="in0"), classes=CLASSES
    )
    reference.set_weights(model, sum(name.encode()))
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,
    )
    return model, {"inputs": [{"kind": "image", "shape": SHAPE}], "batch": BATCH}


def draw(rng, batch):
    """Images and labels."""
    return [rng.normal(size=(batch, *SHAPE))], [rng.integers(0, CLASSES, batch).astype(np.int32)]


def agrees(folder, name):
    model, spec = build(name)
    rng = np.random.default_rng(0)
    inputs, _ = draw(rng, BATCH)
    batches = [draw(rng, BATCH), draw(rng, BATCH - 1)]
    try:
        compiled = compare.compile_with_formwork(spec, model, "float64", folder, concrete=name in CONCRETE)
        exact = compare.run_keras(model, "float64", inputs, batches, folder)

        def run_again(nudge):
            return compare.run_keras(build(name)[0], "float64", inputs, batches, folder, nudge)

        compare.check_exact(compare.run_formwork(compiled, inputs, batches), exact, run_again)
    except compare.Mismatch as mismatch:
        raise Failure(str(mismatch))


CASES = {f"{name} predicts and trains as in Keras": (agrees, name) for name in APPLICATIONS}

if __name__ == "__main__":
    sys.exit(run_cases(CASES, sys.argv[1:]))
