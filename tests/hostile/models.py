"""Model files that no honest program writes, each with what must be said about it."""

import copy
import dataclasses
import io
import json
import struct
import warnings
import zipfile
import zlib

import h5py
import numpy as np

SECRET = "secret-file"  # lies in the folder of each case; nothing may open it


@dataclasses.dataclass
class Case:
    name: str
    make: object  # the file's bytes
    says: list  # patterns of what is said
    ending: str = ".keras"


def layer(kind, name, **config):
    return {"module": "keras.layers", "class_name": kind, "config": {"name": name, **config}}


def sequential(*layers, inputs=3):
    first = layer("InputLayer", "x", batch_shape=[None, inputs])
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [first, *layers]},
    }


def dense(name="d", units=4, **config):
    return layer("Dense", name, units=units, use_bias=False, **config)


def tensor(name, node=0, index=0):
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, node, index]}}


def functional(calls, outputs):
    """`calls`: layers by name, with the names of those they are called on."""
    layers = [dict(layer("InputLayer", "x", batch_shape=[None, 4]), name="x", inbound_nodes=[])]
    for name, (object, inputs) in calls.items():
        args = [tensor(input) for input in inputs]
        args = args if len(args) == 1 else [args]
        layers.append(dict(object, name=name, inbound_nodes=[{"args": args, "kwargs": {}}]))
    config = {
        "name": "f",
        "layers": layers,
        "input_layers": [["x", 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"module": "keras", "class_name": "Functional", "config": config}


SMALL = sequential(dense())


def archive(config, weights, more=(), method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as output, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name are what a case is about
        output.writestr("metadata.json", "{}")
        output.writestr("config.json", config if isinstance(config, (str, bytes)) else json.dumps(config))
        output.writestr("model.weights.h5", weights)
        for name, data in more:
            output.writestr(name, data)
    return file.getvalue()


def hdf5(fill=None):
    """A weights file; `fill` gets the group in which the only variable, 0, belongs."""
    file = io.BytesIO()
    with h5py.File(file, "w") as output:
        group = output.create_group("layers/dense/vars")
        if fill:
            fill(group)
        else:
            group["0"] = np.zeros((3, 4), "f4")
    return file.getvalue()


def weights(fill):
    return lambda folder: archive(SMALL, hdf5(fill))


def model(config):
    return lambda folder: json.dumps(config).encode()


def text(words):
    return lambda folder: words.encode()


def good(folder=None):
    return archive(SMALL, hdf5())


# ===--- archives ---------------------------------------------------------------------------------


def flipped(folder):
    data = bytearray(good())
    data[data.index(b"class_name")] ^= 1
    return bytes(data)


def bomb(folder):
    """A configuration of 1 GiB in a megabyte."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros, crc, packed = bytes(1 << 20), 0, b""
    for _ in range(1024):
        packed += packer.compress(zeros)
        crc = zlib.crc32(zeros, crc)
    packed += packer.flush()
    name = b"config.json"
    sizes = struct.pack("<IIIHH", crc, len(packed), 1 << 30, len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 8, 0, 33) + sizes + name
    entry = b"PK\x01\x02" + struct.pack("<HHHHHH", 20, 20, 0, 8, 0, 33) + sizes + bytes(14) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local) + len(packed), 0)
    return local + packed + entry + end


def lying_bomb(folder):
    """The same, saying that it unpacks to 100 bytes."""
    return bomb(folder).replace(struct.pack("<I", 1 << 30), struct.pack("<I", 100))


# ===--- weights ----------------------------------------------------------------------------------


def huge(group):
    """2^60 elements declared, none there."""
    space = h5py.h5s.create_simple((1 << 30, 1 << 30))
    h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space)


def external_storage(group):
    space = h5py.h5s.create_simple((3, 4))
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_external(SECRET.encode(), 0, 48)
    h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space, properties)


def virtual(group):
    layout = h5py.VirtualLayout((3, 4), "f4")
    layout[:] = h5py.VirtualSource(SECRET, "x", (3, 4))
    group.create_virtual_dataset("0", layout)


def external_link(group):
    group["0"] = h5py.ExternalLink(SECRET, "/x")


def external_group(group):
    file = group.file
    del file["layers/dense"]
    file["layers/dense"] = h5py.ExternalLink(SECRET, "/x")


def soft_loop(group):
    group["0"] = h5py.SoftLink("/layers/dense/vars/0")


def soft_link(group):
    group.file["elsewhere"] = np.zeros((3, 4), "f4")
    group["0"] = h5py.SoftLink("/elsewhere")


def group_loop(group):
    del group.file["layers/dense/vars"]
    group.file["layers/dense"]["vars"] = group.file["layers"]  # a hard link upwards


def truncated_weights(folder):
    data = hdf5()
    return archive(SMALL, data[: len(data) * 2 // 3])


def compressed(group):
    group.create_dataset("0", data=np.zeros((3, 4), "f4"), chunks=(3, 4), compression="gzip")


def put(value):
    return weights(lambda group: group.create_dataset("0", data=value))


# ===--- configurations ---------------------------------------------------------------------------


def nested_models(folder):
    """Each model calls the one inside it twice: 2^30 calls in a few kilobytes."""
    inner = layer("Activation", "a", activation="relu")
    for depth in range(30):
        outer = functional({"m": (inner, ["x"])}, ["m"])
        calls = outer["config"]["layers"][1]["inbound_nodes"]
        calls.append({"args": [tensor("m", 0)], "kwargs": {}})
        # Keras counts the call with which a model was made, here and nowhere else.
        outer["config"]["output_layers"] = [["m", 2 if depth else 1, 0]]
        outer["config"]["name"] = f"m{depth}"
        inner = outer
    return json.dumps(inner).encode()


def joined(folder):
    """A tensor joined with itself thirty times over, whose elements are indices: 2^30 ways from them
    to the input."""
    calls = {
        f"j{i}": (layer("Concatenate", f"j{i}", axis=1), [before, before])
        for i, before in enumerate(["x", *(f"j{i}" for i in range(29))])
    }
    calls["e"] = (layer("Embedding", "e", input_dim=5, output_dim=2), ["j29"])
    object = functional(calls, ["e"])
    object["config"]["layers"][0]["config"].update(dtype="int32", batch_shape=[None, None])
    return json.dumps(object).encode()


def many(count):
    """Layers of a class that is not known, after a megabyte of empty lines."""
    words = json.dumps(sequential(*(layer("Gone", f"l{i}") for i in range(count))))
    return lambda folder: (words[:1] + "\n" * (1 << 20) + words[1:]).encode()


def changed(**config):
    object = copy.deepcopy(SMALL)
    object["config"]["layers"][1]["config"].update(config)
    return model(object)


LINK = r"variable 'd/kernel': dataset 'layers/dense/vars/0' of model.weights.h5 is "
CASES = [
    Case("truncated archive", lambda folder: good()[:-30], [r"truncated or corrupt"]),
    Case("archive cut in its first member", lambda folder: good()[:60], [r"truncated or corrupt"]),
    Case(
        "a byte of the configuration changed",
        flipped,
        [r"config.json is corrupt: its size or checksum is wrong"],
    ),
    Case("empty file", text(""), [r"no model that can be read"]),
    Case("bytes of no meaning", lambda folder: bytes(range(256)) * 40, [r"no model that can be read"]),
    Case("zip bomb", bomb, [r"config.json claims to unpack to 1073741824 bytes"]),
    Case("zip bomb that lies", lying_bomb, [r"config.json is (corrupt|truncated)"]),
    Case(
        "weights that unpack to a thousand times the archive",
        lambda folder: archive(SMALL, bytes(200 << 20), method=zipfile.ZIP_DEFLATED),
        [r"model.weights.h5 claims to unpack to 209715200 bytes"],
    ),
    Case(
        "path traversal",
        lambda folder: archive(SMALL, hdf5(), [(f"../{SECRET}", "evil")]),
        [rf"member that would lie outside of it, '../{SECRET}'"],
    ),
    Case(
        "absolute path",
        lambda folder: archive(SMALL, hdf5(), [("/etc/passwd", "")]),
        [r"outside of it, '/etc/passwd'"],
    ),
    Case(
        "two configurations",
        lambda folder: archive(SMALL, hdf5(), [("config.json", json.dumps(SMALL))]),
        [r"two members called 'config.json'"],
    ),
    Case(
        "2,000 members",
        lambda folder: archive(SMALL, hdf5(), [(str(i), "") for i in range(2000)]),
        [r"more than 1000 members"],
    ),
    Case("truncated weights", truncated_weights, [r"model.weights.h5 is truncated or corrupt"]),
    Case(
        "weights that are none",
        lambda folder: archive(SMALL, b"hello"),
        [r"model.weights.h5 is no HDF5 file"],
    ),
    Case(
        "2^60 elements declared in a dataset",
        weights(huge),
        [LINK + r".*has shape \(1073741824, 1073741824\)|no shape that a tensor"],
    ),
    Case(
        "2^60 elements declared in a layer",
        model(sequential(dense(units=1 << 30), inputs=1 << 30)),
        [r"layer 'd' \(Dense\) at /config/layers/1.*more than 2\^40 elements"],
        ".json",
    ),
    Case(
        "2^60 units",
        changed(units=1 << 60),
        [r"layer 'd' \(Dense\) at /config/layers/1/config/units: .*below 2\^31"],
        ".json",
    ),
    Case(
        "external storage", weights(external_storage), [LINK + r"stored in other files, which are not opened"]
    ),
    Case("virtual dataset", weights(virtual), [LINK + r"stored in other files, which are not opened"]),
    Case("external link", weights(external_link), [LINK + r"a link to another file, which is not opened"]),
    Case(
        "external link to a group",
        weights(external_group),
        [LINK + r"a link to another file, which is not opened"],
    ),
    Case("soft link", weights(soft_link), [LINK + r"a symbolic link, which is not followed"]),
    Case("soft link to itself", weights(soft_loop), [LINK + r"a symbolic link, which is not followed"]),
    Case("hard link in a circle", weights(group_loop), [LINK + r"not in the file"]),
    Case("no weights", weights(lambda group: None), [LINK + r"not in the file"]),
    Case(
        "one weight too many",
        weights(lambda group: [group.create_dataset(i, data=np.zeros((3, 4), "f4")) for i in "01"]),
        [r"has 2 variables in 'layers/dense/vars', but the model has only 1"],
    ),
    Case("compressed weights", weights(compressed), [LINK + r"compressed"]),
    Case(
        "weight of another shape",
        put(np.zeros((4, 3), "f4")),
        [r"has shape \(4, 3\) where the model needs \(3, 4\)"],
    ),
    Case("weight of text", put(np.full((3, 4), b"text")), [r"'d/kernel'.*holds no numbers"]),
    Case("weight of complex numbers", put(np.zeros((3, 4), "c8")), [r"'d/kernel'.*holds no numbers"]),
    Case(
        "lists 10,000 deep",
        text('{"a": ' + "[" * 10_000),
        [r":1:\d+: error: this is no valid JSON: nested more than 200 deep"],
        ".json",
    ),
    Case(
        "objects 10,000 deep",
        text('{"a": ' * 10_000 + "1" + "}" * 10_000),
        [r"nested more than 200 deep"],
        ".json",
    ),
    Case(
        "millions of values",
        text('{"a": [' + "1," * 5_000_000 + "1]}"),
        [r"more than 400000 values"],
        ".json",
    ),
    Case("text after the end", text(json.dumps(SMALL) + "}"), [r"this is no valid JSON"], ".json"),
    Case("no end", text(json.dumps(SMALL)[:-9]), [r":1:\d+: error: this is no valid JSON"], ".json"),
    Case(
        "bytes that are no UTF-8",
        lambda folder: json.dumps(SMALL).encode().replace(b'"d"', b'"\xff"'),
        [r"this is no valid JSON"],
        ".json",
    ),
    Case(
        "two layers of one name",
        model(sequential(dense(), dense())),
        [r"layer 'd' \(Dense\) at /config/layers/2: another layer of this model has the same name"],
        ".json",
    ),
    Case(
        "a layer that is missing",
        model(functional({"d": (dense(), ["gone"])}, ["d"])),
        [r"this model has no layer 'gone'"],
        ".json",
    ),
    Case(
        "an output that is missing",
        model(functional({"d": (dense(), ["x"])}, ["gone"])),
        [r"this model has no layer 'gone'"],
        ".json",
    ),
    Case(
        "a cycle",
        model(functional({"a": (dense("a"), ["b"]), "b": (dense("b"), ["a"])}, ["b"])),
        [r"layer 'a' .*part of a cycle", r"layer 'b' .*part of a cycle"],
        ".json",
    ),
    Case(
        "a layer called on itself",
        model(functional({"a": (dense("a"), ["a"])}, ["a"])),
        [r"layer 'a' .*part of a cycle"],
        ".json",
    ),
    Case(
        "models in models without end",
        nested_models,
        [r"expand to more than 20000 calls|nested more than 200 deep"],
        ".json",
    ),
    Case("indices joined without end", joined, [r"layer 'e' .*depends on unknown input sizes"], ".json"),
    Case(
        "40,000 layers that are none",
        many(40_000),
        [r"40000 problems", r":1048577:\d+: note: layer 'l99' ", r"and 39900 more"],
        ".json",
    ),
    Case("a negative size", changed(units=-4), [r"layer 'd'.*units"], ".json"),
    Case("a size that is no number", changed(units="many"), [r"layer 'd'.*units"], ".json"),
    Case(
        "a size that is NaN",
        text(json.dumps(SMALL).replace('"units": 4', '"units": NaN')),
        [r"this is no valid JSON"],
        ".json",
    ),
    Case(
        "a Lambda layer",
        model(
            sequential(
                layer("Lambda", "l", function={"class_name": "__lambda__", "config": {"code": "4wE="}})
            )
        ),
        [r"Python code, which is never run"],
        ".json",
    ),
    Case(
        "a class of the user's",
        model(sequential(dict(dense(), module="os", class_name="system"))),
        [r"custom classes are not supported"],
        ".json",
    ),
    Case(
        "a name with terminal codes",
        model(sequential(layer("Gone", "\x1b[31mred\x07\n\u202e"))),
        [r"layer '\\x1b\[31mred\\x07\\x0a\\xe2\\x80\\xae'"],
        ".json",
    ),
]
