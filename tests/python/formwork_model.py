"""Calls a compiled model's shared library with NumPy arrays, from its descriptor alone.

Mirrors runtime/formwork.h. For tests and benchmarks: arrays are checked, nothing is hidden; state
and arena are NumPy buffers that the caller may look into. The arena is poisoned before every call
unless told otherwise, so that a kernel that reads what it has not written is noticed.
"""

import ctypes
import math

import numpy as np

DTYPES = [np.bool_, np.int32, np.int64, np.float32, np.float64]
ROLES = [
    "input", "target", "sample_weight", "seed", "output", "loss", "metric", "gradient", "weight",
    "slot", "rng", "hyperparameter", "iterations", "metric_state", "cotangent",
    "derived",
]  # fmt: skip
# Buffers that a function reads; `gradient` is read by apply and written by gradients.
READ = {"input", "target", "sample_weight", "seed", "cotangent"}

c_int64_p = ctypes.POINTER(ctypes.c_int64)


class Context(ctypes.Structure):
    _fields_ = [("parallel_for", ctypes.c_void_p), ("pool", ctypes.c_void_p), ("device", ctypes.c_void_p)]


class TensorInfo(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("role", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("shape", c_int64_p),
        ("limit", ctypes.c_int64),
    ]


# All pointers: arguments that are converted once cost nothing more in each call.
FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 6)
ARENA_SIZE = ctypes.CFUNCTYPE(ctypes.c_int64, c_int64_p)


class ConcreteInfo(ctypes.Structure):
    _fields_ = [("dims", c_int64_p), ("run", FUNCTION), ("arena_size", ARENA_SIZE)]


class EntryInfo(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("buffer_count", ctypes.c_int32),
        ("dim_count", ctypes.c_int32),
        ("buffers", ctypes.POINTER(TensorInfo)),
        ("concrete_count", ctypes.c_int32),
        ("reserved", ctypes.c_int32),
        ("concretes", ctypes.POINTER(ConcreteInfo)),
    ]


class VariableInfo(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("path", ctypes.c_char_p),
        ("role", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("trainable", ctypes.c_int32),
        ("shape", c_int64_p),
        ("offset", ctypes.c_int64),
        ("panel", ctypes.c_int64),
        ("slot_of", ctypes.c_char_p),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("abi", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("name", ctypes.c_char_p),
        ("target", ctypes.c_char_p),
        ("config", ctypes.c_char_p),
        ("compile_config", ctypes.c_char_p),
        ("state_size", ctypes.c_int64),
        ("constants_size", ctypes.c_int64),
        ("constants", ctypes.c_void_p),
        ("initial_state", ctypes.c_void_p),
        ("variable_count", ctypes.c_int32),
        ("entry_count", ctypes.c_int32),
        ("variables", ctypes.POINTER(VariableInfo)),
        ("entries", ctypes.POINTER(EntryInfo)),
        ("accelerator", ctypes.c_void_p),
    ]


def aligned(size, fill=None):
    """`size` bytes at an address that is a multiple of 64."""
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    buffer = raw[start : start + size]
    if fill is not None:
        buffer[:] = fill
    return buffer


class Entry:
    """A function of the model. Call it with inputs by position; it returns its outputs by name."""

    def __init__(self, model, info):
        self.model, self.info, self.name = model, info, info.name.decode()
        self.buffers = [info.buffers[i] for i in range(info.buffer_count)]
        self.concretes = [info.concretes[i] for i in range(info.concrete_count)]
        written_gradients = self.name != "apply"
        self.reads = [
            ROLES[b.role] in READ or (ROLES[b.role] == "gradient" and not written_gradients)
            for b in self.buffers
        ]

    def sizes(self, arrays):
        """The symbols' sizes, from the arrays' shapes."""
        dims = [None] * self.info.dim_count
        inputs = iter(arrays)
        for buffer, read in zip(self.buffers, self.reads):
            if not read:
                continue
            array = next(inputs)
            assert array.ndim == buffer.rank, f"{buffer.name}: rank {array.ndim}, not {buffer.rank}"
            for axis in range(buffer.rank):
                size = buffer.shape[axis]
                if size >= 0:
                    assert array.shape[axis] == size, f"{buffer.name}: {array.shape}"
                else:
                    assert dims[-1 - size] in (None, array.shape[axis]), f"{buffer.name}"
                    dims[-1 - size] = array.shape[axis]
        assert None not in dims, "a symbol that no input has"
        return dims

    def dispatch(self, dims):
        for concrete in self.concretes:
            if not concrete.dims or [concrete.dims[i] for i in range(len(dims))] == dims:
                return concrete
        raise LookupError(f"{self.name}: no function for {dims}")

    def prepare(self, *arrays, context=None):
        """A closure that makes the call again and again, and the outputs that it fills."""
        arrays = [np.asarray(a) for a in arrays]
        dims = self.sizes(arrays)
        concrete = self.dispatch(dims)
        inputs, pointers, outputs, keep = iter(arrays), [], {}, []
        for buffer, read in zip(self.buffers, self.reads):
            dtype = DTYPES[buffer.dtype]
            if read:
                array = np.ascontiguousarray(next(inputs), dtype)
            else:
                shape = [buffer.shape[i] for i in range(buffer.rank)]
                shape = [s if s >= 0 else dims[-1 - s] for s in shape]
                array = np.full(shape, 77, dtype)
                outputs[buffer.name.decode()] = array
            keep.append(array)
            pointers.append(array.ctypes.data)
        c_dims = (ctypes.c_int64 * max(len(dims), 1))(*dims)
        c_buffers = (ctypes.c_void_p * max(len(pointers), 1))(*pointers)
        arena = aligned(max(concrete.arena_size(c_dims), 1))
        context = context or Context()
        state = self.model.state
        state_address = state.ctypes.data if len(state) else None
        run, constants = concrete.run, self.model.info.constants
        given = (context, c_dims, c_buffers)
        at = [ctypes.addressof(one) for one in given]
        addresses = (at[0], constants, state_address, arena.ctypes.data, at[1], at[2])
        arguments = [ctypes.c_void_p(address) for address in addresses]

        def call():
            status = run(*arguments)
            assert status == 0, f"{self.name} returned {status}"

        # Held by the closure, so that nothing it points to goes away.
        call.arena, call.arguments, call.held = arena, (run, *arguments), (keep, state, given)
        return call, outputs

    def __call__(self, *arrays, poison=True):
        call, outputs = self.prepare(*arrays)
        if poison:
            call.arena[:] = 0xFF  # NaN in every floating-point format
        call()
        return outputs


class Model:
    """A loaded library. `state` begins as the model file's weights, or as init(seed) makes it."""

    def __init__(self, path, name, seed=0):
        self.library = ctypes.CDLL(str(path))
        descriptor = getattr(self.library, f"{name}_model")
        descriptor.restype = ctypes.POINTER(ModelInfo)
        self.info = descriptor().contents
        assert self.info.abi == 3 and self.info.size >= ctypes.sizeof(ModelInfo)
        self.entries = {
            e.name.decode(): Entry(self, e)
            for e in (self.info.entries[i] for i in range(self.info.entry_count))
        }
        self.variables = {
            v.name.decode(): v
            for v in (self.info.variables[i] for i in range(self.info.variable_count))
        }
        self.state = aligned(self.info.state_size)
        self.restore(seed)

    def restore(self, seed=0):
        """Makes the state what it was when the library was loaded."""
        if self.info.initial_state:
            size = self.info.state_size
            self.state[:] = np.ctypeslib.as_array(
                ctypes.cast(self.info.initial_state, ctypes.POINTER(ctypes.c_uint8)), (size,)
            )
        elif self.info.state_size:
            self.state[:] = 0
            self.entries["init"](np.array(seed, np.int64))

    def __getattr__(self, name):
        try:
            return self.__dict__["entries"][name]
        except KeyError:
            raise AttributeError(name) from None

    def stored(self, name):
        """A view of the variable's elements in the state, in the order in which they lie there."""
        info = self.variables[name]
        dtype = np.dtype(DTYPES[info.dtype])
        size = math.prod(info.shape[i] for i in range(info.rank)) * dtype.itemsize
        return self.state[info.offset : info.offset + size].view(dtype)

    def variable(self, name):
        """A view of the variable in the state; a copy if it lies in panels."""
        info, stored = self.variables[name], self.stored(name)
        shape = [info.shape[i] for i in range(info.rank)]
        if not info.panel:
            return stored.reshape(shape)
        return stored.reshape(-1, shape[0], info.panel).swapaxes(0, 1).reshape(shape)

    def metric_values(self):
        return {name: float(value) for name, value in self.metrics().items()}
