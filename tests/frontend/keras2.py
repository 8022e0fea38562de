"""Whole models in .h5 files as Keras 2 wrote them, attribute by attribute: configurations are written
out here, since no Keras 2 can be installed beside Keras 3. Each predicts as the same model in Keras 3
does, trains, and becomes an archive that Keras 3 loads.
"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))

import h5py
import keras
import legacy
import numpy as np
from cases import run_cases
from keras import layers
from legacy import formwork

RANDOM = np.random.default_rng(5)

# What Keras 2.9 wrote of every Dense, every convolution and so on, beside what a model asked for.
UNIFORM = {"class_name": "GlorotUniform", "config": {"seed": None}}
ORTHOGONAL = {"class_name": "Orthogonal", "config": {"gain": 1.0, "seed": None}}
ZEROS, ONES = {"class_name": "Zeros", "config": {}}, {"class_name": "Ones", "config": {}}
COMMON = {"trainable": True, "dtype": "float32"}


def penalties(*kinds):
    nothing = {f"{k}_{what}": None for k in kinds for what in ("regularizer", "constraint")}
    return {**nothing, "activity_regularizer": None}


DENSE = {"units": None, "activation": "linear", "use_bias": True, "kernel_initializer": UNIFORM,
         "bias_initializer": ZEROS, **penalties("kernel", "bias")}  # fmt: skip
CONVOLUTION = {"kernel_size": [3, 3], "strides": [1, 1], "padding": "valid", "data_format": "channels_last",
               "dilation_rate": [1, 1], "groups": 1, "activation": "linear", "use_bias": True,
               "bias_initializer": ZEROS, **penalties("bias")}  # fmt: skip
KERNEL = {"kernel_initializer": UNIFORM, "kernel_regularizer": None, "kernel_constraint": None}
DEPTHWISE = {"depth_multiplier": 1, "depthwise_initializer": UNIFORM, "depthwise_regularizer": None,
             "depthwise_constraint": None}  # fmt: skip
POINTWISE = {"pointwise_initializer": UNIFORM, "pointwise_regularizer": None, "pointwise_constraint": None}
NORM = {"axis": [3], "momentum": 0.99, "epsilon": 0.001, "center": True, "scale": True, "beta_initializer": ZEROS,
        "gamma_initializer": ONES, "moving_mean_initializer": ZEROS, "moving_variance_initializer": ONES,
        "beta_regularizer": None, "gamma_regularizer": None, "beta_constraint": None,
        "gamma_constraint": None}  # fmt: skip
RECURRENT = {"return_sequences": False, "return_state": False, "go_backwards": False, "stateful": False,
             "unroll": False, "time_major": False, "units": 4, "activation": "tanh",
             "recurrent_activation": "sigmoid", "use_bias": True, "kernel_initializer": UNIFORM,
             "recurrent_initializer": ORTHOGONAL, "bias_initializer": ZEROS,
             **penalties("kernel", "recurrent", "bias"), "dropout": 0.0, "recurrent_dropout": 0.0,
             "implementation": 2}  # fmt: skip
SOFTMAX_LOSS = {"class_name": "SparseCategoricalCrossentropy",
                "config": {"reduction": "auto", "name": "sparse_categorical_crossentropy", "from_logits": False,
                           "ignore_class": None}}  # fmt: skip


def layer(kind, name, *reads, **config):
    """A layer of a Functional model that is called once."""
    calls = [[[of, 0, 0, {}] for of in reads]] if reads else []
    return {"class_name": kind, "config": {"name": name, **COMMON, **config}, "name": name, "inbound_nodes": calls}


def input_layer(name, *shape):
    config = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def functional(kind, name, inputs, outputs, *parts):
    ports = lambda names: [[n, 0, 0] for n in names]
    config = {"name": name, "layers": list(parts), "input_layers": ports(inputs), "output_layers": ports(outputs)}
    return {"class_name": kind, "config": config}


def training(loss, metrics, optimizer):
    return {"loss": loss, "metrics": metrics, "weighted_metrics": None, "loss_weights": None,
            "optimizer_config": optimizer}  # fmt: skip


ADAM = {"class_name": "Adam", "config": {"name": "Adam", "learning_rate": 0.001, "decay": 0.0, "beta_1": 0.9,
                                         "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": False}}  # fmt: skip
# As of Keras 2.11.
SGD = {"class_name": "Custom>SGD", "config": {"name": "SGD", "weight_decay": None, "clipnorm": None,
       "global_clipnorm": None, "clipvalue": None, "use_ema": False, "ema_momentum": 0.99,
       "ema_overwrite_frequency": None, "jit_compile": True, "is_legacy_optimizer": False, "learning_rate": 0.01,
       "momentum": 0.9, "nesterov": False}}  # fmt: skip


def image():
    """Branches, a model inside, every kind of convolution. The weights' names, then the same in Keras 3."""
    inner = functional("Functional", "inner", ["inner_input"], ["squash"], input_layer("inner_input", 6),
                       layer("Dense", "within", "inner_input", **{**DENSE, "units": 5}),
                       layer("LeakyReLU", "squash", "within", alpha=0.2))  # fmt: skip
    config = functional(
        "Functional", "picture", ["x"], ["out"], input_layer("x", 6, 6, 2),
        layer("Conv2D", "conv", "x", **{**CONVOLUTION, **KERNEL, "filters": 3}),
        layer("BatchNormalization", "norm", "conv", **NORM),
        layer("DepthwiseConv2D", "depth", "norm", **{**CONVOLUTION, **DEPTHWISE}),
        layer("SeparableConv2D", "both", "norm", **{**CONVOLUTION, **KERNEL, **DEPTHWISE, **POINTWISE, "filters": 3}),
        layer("Concatenate", "together", "depth", "both", axis=-1),
        layer("GlobalAveragePooling2D", "pool", "together", data_format="channels_last", keepdims=False),
        {**inner, "name": "inner", "inbound_nodes": [[["pool", 0, 0, {}]]]},
        layer("Dropout", "drop", "inner", rate=0.0, noise_shape=None, seed=None),
        layer("Dense", "out", "drop", **{**DENSE, "units": 2, "activation": "softmax"}))  # fmt: skip
    accuracy = {"class_name": "MeanMetricWrapper",
                "config": {"name": "accuracy", "dtype": "float32", "fn": "sparse_categorical_accuracy"}}  # fmt: skip
    names = {"conv": ["conv/kernel", "conv/bias"],
             "norm": [f"norm/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")],
             "depth": ["depth/depthwise_kernel", "depth/bias"],
             "both": ["both/depthwise_kernel", "both/pointwise_kernel", "both/bias"],
             "inner": ["within/kernel", "within/bias"], "out": ["out/kernel", "out/bias"]}  # fmt: skip

    z = keras.Input((6,))
    inside = keras.Model(z, layers.LeakyReLU(0.2)(layers.Dense(5)(z)), name="inner")
    x = keras.Input((6, 6, 2))
    y = layers.BatchNormalization(name="norm")(layers.Conv2D(3, 3, name="conv")(x))
    y = [layers.DepthwiseConv2D(3, name="depth")(y), layers.SeparableConv2D(3, 3, name="both")(y)]
    y = inside(layers.GlobalAveragePooling2D()(layers.Concatenate()(y)))
    model = keras.Model(x, layers.Dense(2, "softmax", name="out")(y))
    return config, training(SOFTMAX_LOSS, [[accuracy]], ADAM), names, model, RANDOM.integers(0, 2, 8)


def sequence():
    """A Sequential model that knows its input from its first layer, and cells that are counted."""
    parts = [layer("LSTM", "memory", batch_input_shape=[None, 5, 3], **{**RECURRENT, "unit_forget_bias": True,
                                                                        "return_sequences": True}),
             layer("GRU", "again", **{**RECURRENT, "reset_after": True}),
             layer("Dense", "out", **{**DENSE, "units": 2})]  # fmt: skip
    for part in parts:
        del part["name"], part["inbound_nodes"]
    config = {"class_name": "Sequential", "config": {"name": "series", "layers": parts}}
    cell = lambda name: [f"{name}/{n}" for n in ("kernel", "recurrent_kernel", "bias")]
    names = {"memory": cell("memory/lstm_cell_7"), "again": cell("again/gru_cell_2"), "out": ["out/kernel", "out/bias"]}
    model = keras.Sequential([keras.Input((5, 3)), layers.LSTM(4, return_sequences=True, name="memory"),
                              layers.GRU(4, name="again"), layers.Dense(2, name="out")])  # fmt: skip
    return config, training("mse", ["mae"], SGD), names, model, RANDOM.random((8, 2), np.float32)


def oldest():
    """Keras 2.0: a list of layers in a Sequential, and models that are called Model."""
    config, settings, names, model, targets = image()
    config["class_name"] = config["config"]["layers"][7]["class_name"] = "Model"
    settings["optimizer_config"] = {"class_name": "SGD", "config": {"lr": 0.01, "decay": 0.0, "momentum": 0.0,
                                                                     "nesterov": False}}  # fmt: skip
    settings.update(metrics=["accuracy"], sample_weight_mode=None, loss="sparse_categorical_crossentropy")
    return config, settings, names, model, targets


def list_of_layers():
    config, settings, names, model, targets = sequence()
    return {**config, "config": config["config"]["layers"]}, settings, names, model, targets


def save(path, config, settings, names, model, version="2.9.0", remembers=False):
    """As keras/saving/hdf5_format.py of Keras 2 did."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = version.encode(), b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        if settings:
            file.attrs["training_config"] = json.dumps(settings).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in names]
        group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", version.encode()
        group.create_group("top_level_model_weights").attrs["weight_names"] = np.zeros((0,))
        for name, variables in names.items():
            store_weights(group.create_group(name), variables, model.get_layer(name).get_weights())
        if remembers:
            store_weights(file.create_group("optimizer_weights"), ["Adam/iter"], [np.int64(3)])


def store_weights(group, names, values):
    group.attrs["weight_names"] = [f"{name}:0".encode() for name in names]
    for name, value in zip(names, values, strict=True):
        group.create_dataset(f"{name}:0", data=value)


def reads_as_keras_3_does(folder, make, version):
    config, settings, names, model, targets = make()
    model.set_weights([np.abs(RANDOM.normal(size=w.shape)).astype(np.float32) for w in model.get_weights()])
    path, x = folder / "model.h5", RANDOM.random((8, *model.input_shape[1:]), np.float32)
    save(path, config, settings, names, model, version)
    np.savez(folder / "x.npz", x=x)
    said = formwork("predict", path, "--input", folder / "x.npz", "-o", folder / "y.npy")
    assert "remembers" not in said, said
    wanted = model.predict(x, verbose=0)
    np.testing.assert_allclose(np.load(folder / "y.npy"), wanted, rtol=1e-4, atol=1e-5)

    np.savez(folder / "data.npz", x=x, y=targets)
    trained = folder / "trained.keras"
    formwork("train", path, "--data", folder / "data.npz", "--epochs", 2, "--quiet", "-o", trained)
    formwork("predict", trained, "--input", folder / "x.npz", "-o", folder / "again.npy")
    loaded = keras.models.load_model(trained)
    np.testing.assert_allclose(np.load(folder / "again.npy"), loaded.predict(x, verbose=0), rtol=1e-4, atol=1e-5)
    learnt = loaded.get_layer("out").get_weights()[1]
    assert not np.array_equal(learnt, model.get_layer("out").get_weights()[1]), "nothing was learnt"
    loaded.fit(x, targets, epochs=1, verbose=0)


def tells_what_stays_behind(folder):
    """Only where there is something."""
    config, settings, names, model, _ = image()
    for settings, remembers, warns in [(settings, True, True), (settings, False, False), (None, False, False)]:
        save(folder / "model.h5", config, settings, names, model, remembers=remembers)
        said = formwork("summary", folder / "model.h5")
        assert ("what the optimizer of Keras 2 remembers is not read" in said) == warns, said


def names_what_keras_3_has_not(folder):
    config, settings, names, model, _ = image()
    config["config"]["layers"][1]["class_name"] = "TFOpLambda"
    save(folder / "model.h5", config, settings, names, model)
    legacy.refuse(folder / "model.h5", "layers of this class are not supported")
    config, settings, names, model, _ = image()
    config["config"]["layers"][1]["inbound_nodes"] = [[["x", 0, 0, {"mask": ["x", 0, 0]}]]]
    save(folder / "model.h5", config, settings, names, model)
    legacy.refuse(folder / "model.h5", "call argument 'mask' is not supported")
    config["config"]["layers"][1]["inbound_nodes"] = [["x", 0, 0, {}]]
    save(folder / "model.h5", config, settings, names, model)
    legacy.refuse(folder / "model.h5", "its inbound_nodes are not in the format")


TESTS = {
    **{
        f"{make.__name__.replace('_', ' ')} of Keras {version} predicts and trains": (reads_as_keras_3_does, make, version)
        for make, version in [(image, "2.9.0"), (sequence, "2.11.0"), (oldest, "2.0.8"), (list_of_layers, "2.1.0")]
    },
    "what stays behind is told where there is something": (tells_what_stays_behind,),
    "what Keras 3 has not is named": (names_what_keras_3_has_not,),
}


if __name__ == "__main__":
    sys.exit(run_cases(TESTS, sys.argv[1:]))
