"""Data and checkpoints that a produced program must refuse, each with what must be said about it.

The program's model takes `x` f32[?,3], gives one of four classes, and is trained on labels `y`.
"""

import io
import json
import struct
import zipfile

import numpy as np
from models import (
    SECRET,
    SMALL,
    Case,
    archive,
    compressed,
    external_link,
    external_storage,
    hdf5,
    huge,
    soft_loop,
    truncated_weights,
    virtual,
)

X = np.zeros((8, 3), "f4")
Y = np.arange(8) % 4


def npz(save=np.savez, **arrays):
    file = io.BytesIO()
    save(file, **{"x": X, "y": Y, **arrays})
    return file.getvalue()


def arrays(**given):
    return lambda folder: npz(**given)


def npy(header, data=b""):
    """The array x with a header of one's own choice, and sound labels."""
    words = header.encode().ljust(118) + b"\n"

    def make(folder):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as output:
            output.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words + data)
            output.writestr("y.npy", good_member("y"))
        return file.getvalue()

    return make


def good_member(name):
    return zipfile.ZipFile(io.BytesIO(npz())).read(name + ".npy")


def with_member(name):
    def make(folder):
        file = io.BytesIO(npz())
        with zipfile.ZipFile(file, "a") as output:
            output.writestr(name, "evil")
        return file.getvalue()

    return make


def label(value):
    return arrays(y=np.where(np.arange(8) == 5, value, Y))


def number(value):
    x = np.zeros((8, 3), "f8")
    x[2, 1] = value
    return arrays(x=x)


def table(words):
    return lambda folder: words.encode()


DATA = [
    Case("truncated .npz", lambda folder: npz()[:-9], [r"data.npz: the archive .*cut short"]),
    Case(
        "damaged .npz",
        lambda folder: npz().replace(bytes(16), b"\1" + bytes(15), 1),
        [r"data.npz: the archive is damaged: a member's checksum"],
    ),
    Case(
        "zip bomb",
        lambda folder: npz(np.savez_compressed, x=np.zeros((40_000_000, 3), "f4")),
        [r"claims to unpack to more than \d+ MiB"],
    ),
    Case("path traversal", with_member(f"../{SECRET}.npy"), [rf"outside of it, '../{SECRET}.npy'"]),
    Case(
        "2^60 rows",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 3), }"),
        [r"'x': .*beyond what can be addressed"],
    ),
    Case(
        "2^50 rows",
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1125899906842624, 3), }"),
        [r"'x': is cut short: f32\[1125899906842624,3\] needs"],
    ),
    Case("a header that is none", npy("{'descr': " * 5), [r"'x': not a NumPy array: its header is damaged"]),
    Case(
        "objects",
        arrays(x=np.array([[{}] * 3] * 8, object)),
        [r"'x': holds Python objects, which are programs and are never run"],
    ),
    Case("text", arrays(y=np.array(["a"] * 8)), [r"'y': holds text"]),
    Case(
        "another shape",
        arrays(x=np.zeros((8, 4), "f4")),
        [r"'x' is f32\[8,4\], but input 'x' takes f32\[\?,3\]"],
    ),
    Case("too few labels", arrays(y=Y[:5]), [r"'y' has 5 samples, but 'x' has 8"]),
    Case("no labels", lambda folder: npz(y=Y[:0]), [r"'y' has 0 samples, but 'x' has 8"]),
    Case("no samples", arrays(x=X[:0], y=Y[:0]), [r"holds no samples"]),
    Case("label beyond the classes", label(4), [r"'y', row 5: the value is 4, but must be in 0\.\.3"]),
    Case("negative label", label(-1), [r"'y', row 5: the value is -1, but must be in 0\.\.3"]),
    Case("label of 2^40", label(1 << 40), [r"'y', row 5: the value is 1099511627776"]),
    Case("label that is a fraction", label(1.5), [r"'y', row 5: the value is 1.5"]),
    Case("label that is NaN", label(np.nan), [r"'y', row 5: the value is -?nan"]),
    Case("number beyond float32", number(1e300), [r"'x', row 2, element \[2,1\]: the value is 1e\+300"]),
    Case(
        "NaN",
        number(np.nan),
        [
            r"the loss became -?nan in epoch 1, step 1",
            r"array 'x', row 2, element \[2,1\]: the value is -?nan",
        ],
    ),
    Case(
        "infinity", number(np.inf), [r"the loss became -?(nan|inf) in epoch 1, step 1", r"the value is inf"]
    ),
    Case("bytes of no meaning", lambda folder: bytes(range(256)) * 9, [r"data.npz: holds no arrays"]),
    Case("empty file", lambda folder: b"", [r"data.npz: holds no arrays"]),
    Case(
        "a name with terminal codes",
        lambda folder: npz(**{"\x1b[31m": X}).replace(b"y.npy", b"z.npy"),
        [r"no array for target .*'\\x1b\[31m'"],
    ),
    Case(
        "table with a word",
        table("x[0],x[1],x[2],y\n1,2,3,0\n1,two,3,0\n"),
        [r"data.csv: line 3, column 2: 'two' is no number"],
        ".csv",
    ),
    Case(
        "table with a short line",
        table("x[0],x[1],x[2],y\n1,2,3\n"),
        [r"data.csv: line 2, column 3: .*3 numbers.*4 columns"],
        ".csv",
    ),
    Case(
        "table without a column",
        table("x[0],x[2],y\n1,2,0\n"),
        [r"data.csv: line 1, .*array 'x' are not one for each"],
        ".csv",
    ),
    Case(
        "table with a label beyond the classes",
        table("x[0],x[1],x[2],y\n1,2,3,0\n1,2,3,7\n"),
        [r"data.csv: array 'y', row 1: the value is 7, but must be in 0\.\.3"],
        ".csv",
    ),
    Case(
        "table with an endless line",
        table("x[0],x[1],x[2],y\n" + "1," * 3_000_000),
        [r"data.csv: line 2, column 4: the line has 3000001 numbers"],
        ".csv",
    ),
    Case(
        "table with a million columns",
        table(",".join(f"c{i}" for i in range(1_000_000))),
        [r"more than 100000 columns"],
        ".csv",
    ),
]


def safetensors(header, data=b""):
    words = header if isinstance(header, bytes) else json.dumps(header).encode()
    return lambda folder: struct.pack("<Q", len(words)) + words + data


def tensor(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def kernel(fill):
    return lambda folder: archive(SMALL, hdf5(fill))


UNSOUND = [r"weights.safetensors: is not a sound safetensors file"]
WHERE = r"weights.keras: variable 'd/kernel' \(f32\[3,4\]\) "
CHECKPOINTS = [
    Case(
        "truncated archive",
        lambda folder: archive(SMALL, hdf5())[:-30],
        [r"weights.keras: the archive .*cut short"],
    ),
    Case("truncated weights", truncated_weights, [r"weights.keras: its model.weights.h5 is damaged"]),
    Case(
        "no HDF5 file",
        lambda folder: archive(SMALL, b"hello"),
        [r"weights.keras: its model.weights.h5 is damaged"],
    ),
    Case(
        "zip bomb",
        lambda folder: archive(SMALL, bytes(300 << 20), method=8),
        [r"claims to unpack to more than \d+ MiB"],
    ),
    Case(
        "path traversal",
        lambda folder: archive(SMALL, hdf5(), [(f"../{SECRET}", "")]),
        [rf"outside of it, '../{SECRET}'"],
    ),
    Case(
        "two members of one name",
        lambda folder: archive(SMALL, hdf5(), [("model.weights.h5", hdf5())]),
        [r"two members called 'model.weights.h5'"],
    ),
    Case("2^60 elements", kernel(huge), [WHERE + "has another shape"]),
    Case(
        "another shape",
        kernel(lambda group: group.create_dataset("0", data=np.zeros((4, 3)))),
        [WHERE + "has another shape"],
    ),
    Case(
        "text",
        kernel(lambda group: group.create_dataset("0", data=np.full((3, 4), b"a"))),
        [WHERE + "holds no numbers"],
    ),
    Case("no weights", kernel(lambda group: None), [WHERE + "is not in the archive"]),
    Case(
        "external storage",
        kernel(external_storage),
        [WHERE + "is stored in other files, which are not opened"],
    ),
    Case("virtual dataset", kernel(virtual), [WHERE + "is stored in other files, which are not opened"]),
    Case("external link", kernel(external_link), [WHERE + "is a link to another file, which is not opened"]),
    Case("soft link", kernel(soft_loop), [WHERE + "is a symbolic link, which is not followed"]),
    Case(
        "truncated header", lambda folder: struct.pack("<Q", 1 << 60) + b"{}", [r"cut short"], ".safetensors"
    ),
    Case("nested 10,000 deep", safetensors(b'{"a":' * 10_000), UNSOUND, ".safetensors"),
    Case(
        "2^60 elements",
        safetensors({"d/kernel": tensor([1 << 60, 1 << 60], 0, 48)}, bytes(48)),
        [r"weights.safetensors: array 'd/kernel': .*beyond what can be addressed"],
        ".safetensors",
    ),
    Case(
        "data outside of the file", safetensors({"d/kernel": tensor([3, 4], 0, 48)}), UNSOUND, ".safetensors"
    ),
    Case(
        "arrays that overlap",
        safetensors({"d/kernel": tensor([3, 4], 0, 48), "e": tensor([3, 4], 4, 52)}, bytes(52)),
        UNSOUND,
        ".safetensors",
    ),
    Case(
        "another shape",
        safetensors({"d/kernel": tensor([4, 3], 0, 48)}, bytes(48)),
        [r"array 'd/kernel' is f32\[4,3\], but model model needs f32\[3,4\]"],
        ".safetensors",
    ),
    Case(
        "another type",
        safetensors({"d/kernel": tensor([3, 4], 0, 96, "F64")}, bytes(96)),
        [r"array 'd/kernel' is f64\[3,4\], but model model needs f32\[3,4\]"],
        ".safetensors",
    ),
    Case("no weights", safetensors({}), [r"has no array 'd/kernel'"], ".safetensors"),
]
