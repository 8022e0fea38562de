"""Writes the seeds of the fuzz targets: small files as Keras, NumPy and spreadsheets write them.

usage: make_seeds.py [FOLDER]; the folders' names are those of the targets.
"""

import json
import pathlib
import struct
import sys
import tempfile
import zipfile

import h5py
import keras
import numpy as np
from keras import layers

FOLDER = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "seeds")


def seed(target, name, data):
    path = FOLDER / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def small():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="relu", name="dense")])
    model.compile("sgd", loss="mse", metrics=["mae"])
    return model


def branches():
    x = keras.Input((4,), name="x")
    shared = layers.Dense(2, name="dense")
    inner = keras.Sequential([keras.Input((2,)), layers.Dropout(0.5)], name="inner")
    return keras.Model(x, {"sum": layers.Add()([shared(x), inner(shared(x))])})


def images():
    x = keras.Input((8, 8, 1), name="image")
    y = layers.BatchNormalization()(layers.Conv2D(2, 3, padding="same")(x))
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.MaxPooling2D()(y))))


def sequences():
    x = keras.Input((None,), dtype="int32", name="words")
    return keras.Model(x, layers.LSTM(2)(layers.Embedding(5, 3)(x)))


def models():
    for make in small, branches, images, sequences:
        keras.backend.clear_session()
        model = make()
        seed("keras_json", make.__name__ + ".json", model.to_json())
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.keras"
            model.save(path)
            weights = zipfile.ZipFile(path).read("model.weights.h5")
            seed("hdf5_weights", make.__name__ + ".h5", weights)
            if make is small:
                seed("keras_archive", "small.keras", path.read_bytes())
                model.train_on_batch(np.ones((1, 3)), np.ones((1, 4)))
                model.save(path.with_suffix(".h5"))
                seed("keras_h5", "small.h5", path.with_suffix(".h5").read_bytes())
            with zipfile.ZipFile(path) as stored, zipfile.ZipFile(
                f"{path}.d", "w", zipfile.ZIP_DEFLATED
            ) as deflated:
                for member in stored.namelist():
                    deflated.writestr(zipfile.ZipInfo(member), stored.read(member), zipfile.ZIP_DEFLATED)
            seed("keras_archive", make.__name__ + "_deflated.keras", pathlib.Path(f"{path}.d").read_bytes())


def of_keras_2():
    """As Keras 2 wrote it: calls, shapes and names of its own."""
    dense = {"name": "dense", "units": 2, "activation": "linear"}
    x = {"batch_input_shape": [None, 3], "dtype": "float32", "sparse": False, "ragged": False, "name": "x"}
    calls = [{"class_name": "InputLayer", "config": x, "name": "x", "inbound_nodes": []},
             {"class_name": "Dense", "config": dense, "name": "dense", "inbound_nodes": [[["x", 0, 0, {}]]]}]
    graph = {"name": "m", "layers": calls, "input_layers": [["x", 0, 0]], "output_layers": [["dense", 0, 0]]}
    optimizer = {"class_name": "SGD", "config": {"lr": 0.1, "decay": 0.0}}
    settings = {"loss": "mse", "metrics": [], "optimizer_config": optimizer}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.h5"
        with h5py.File(path, "w") as file:
            file.attrs["keras_version"], file.attrs["backend"] = b"2.9.0", b"tensorflow"
            file.attrs["model_config"] = json.dumps({"class_name": "Functional", "config": graph}).encode()
            file.attrs["training_config"] = json.dumps(settings).encode()
            file["model_weights/dense/dense/kernel:0"] = np.ones((3, 2), np.float32)
            file["model_weights/dense/dense/bias:0"] = np.ones(2, np.float32)
            file["optimizer_weights/SGD/iter:0"] = np.int64(3)
            file["optimizer_weights"].attrs["weight_names"] = [b"SGD/iter:0"]
        seed("keras_h5", "of_keras_2.h5", path.read_bytes())


def arrays():
    some = {
        "float32": np.float32([[1, 2, 3], [4, 5, 6]]),
        "big_endian": np.arange(3, dtype=">i4"),
        "fortran": np.asfortranarray(np.arange(6, dtype="u1").reshape(2, 3)),
        "scalar": np.float64(7),
        "halves": np.zeros((0, 2), "f2"),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "file"
        for name, array in some.items():
            np.save(f"{path}.npy", array)
            seed("npy", name + ".npy", pathlib.Path(f"{path}.npy").read_bytes())
        for save in np.savez, np.savez_compressed:
            save(f"{path}.npz", x=some["float32"], y=some["big_endian"])
            seed("npz", save.__name__ + ".npz", pathlib.Path(f"{path}.npz").read_bytes())


def safetensors():
    header = {
        "__metadata__": {"format": "formwork", "epoch": "3", 'quote"\\': "\n"},
        "dense/kernel": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "steps": {"dtype": "I64", "shape": [], "data_offsets": [16, 24]},
    }
    words = json.dumps(header).encode()
    seed("safetensors", "two.safetensors", struct.pack("<Q", len(words)) + words + bytes(24))
    seed("safetensors", "empty.safetensors", struct.pack("<Q", 2) + b"{}")


def tables():
    seed("csv", "matrix.csv", "x[0],x[1],y\n1,2.5,0\n-3e7,nan,1\n")
    seed("csv", "windows.csv", '\ufeff"a ""b""", c\r\n 1 , -2\r\n\r\n3,4\r\n')
    seed("csv", "deep.csv", "i[1][0],i[0][0],i[0][1],i[1][1]\n1,2,3,inf\n9223372036854775807,1,1,1\n")


if __name__ == "__main__":
    models()
    of_keras_2()
    arrays()
    safetensors()
    tables()
