"""A shared library that `formwork compile --emit=shared` made, as a Python object: ctypes and NumPy.

    model = Model("./libdigits.so", "digits")
    outputs = model.predict(image=x)                  # a dict of arrays by name
    loss = model.train_step(image=x, digit=y)["loss"]

It knows no model: the descriptor, which runtime/formwork.h describes, says what there is. Buffers are
given by name; a gradient that shares a name with an input is called NAME_gradient. What is missing,
unknown or of the wrong shape is a TypeError or ValueError that says so.
"""

import ctypes

import numpy as np

DTYPES = [np.bool_, np.int32, np.int64, np.float32, np.float64]
INPUT, GRADIENT, COTANGENT = 0, 7, 14  # formwork_role
WRITTEN = {4, 5, 6}  # outputs, losses and metrics; gradients but for `apply`, which takes them
i32, i64, pointer, text = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p, ctypes.c_char_p


def structure(name, *fields):
    return type(name, (ctypes.Structure,), {"_fields_": list(fields)})


Tensor = structure(
    "Tensor", ("name", text), ("role", i32), ("dtype", i32), ("rank", i32), ("reserved", i32),
    ("shape", ctypes.POINTER(i64)), ("limit", i64),
)  # fmt: skip
Concrete = structure("Concrete", ("dims", ctypes.POINTER(i64)), ("run", pointer), ("arena_size", pointer))
Entry = structure(
    "Entry", ("name", text), ("buffer_count", i32), ("dim_count", i32), ("buffers", ctypes.POINTER(Tensor)),
    ("concrete_count", i32), ("reserved", i32), ("concretes", ctypes.POINTER(Concrete)),
)  # fmt: skip
Variable = structure(
    "Variable", ("name", text), ("path", text), ("role", i32), ("dtype", i32), ("rank", i32),
    ("trainable", i32), ("shape", ctypes.POINTER(i64)), ("offset", i64), ("panel", i64), ("slot_of", text),
)  # fmt: skip
Descriptor = structure(
    "Descriptor", ("abi", ctypes.c_uint32), ("size", ctypes.c_uint32), ("name", text), ("target", text),
    ("config", text), ("compile_config", text), ("state_size", i64), ("constants_size", i64),
    ("constants", pointer), ("initial_state", pointer), ("variable_count", i32), ("entry_count", i32),
    ("variables", ctypes.POINTER(Variable)), ("entries", ctypes.POINTER(Entry)), ("accelerator", pointer),
)  # fmt: skip
Context = structure("Context", ("parallel_for", pointer), ("pool", pointer), ("device", pointer))
Function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Context), *[pointer] * 5)
ArenaSize = ctypes.CFUNCTYPE(i64, pointer)


def aligned(size):
    """That many bytes, all zero, at a multiple of 64."""
    memory = np.zeros(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start : start + size]


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


class Model:
    """A model with state of its own, if it trains. One thread at a time."""

    def __init__(self, library, name, seed=0):
        self._library = ctypes.CDLL(library)
        get = self._library[f"{name}_model"]
        get.restype = ctypes.POINTER(Descriptor)
        self._model = get().contents
        if self._model.abi != 3:
            raise ValueError(f"{library} is by another version of Formwork")
        self._context = Context()
        self._entries = {e.name.decode(): e for e in self._model.entries[: self._model.entry_count]}
        self.state = aligned(self._model.state_size)
        if self._model.initial_state:
            ctypes.memmove(address(self.state), self._model.initial_state, len(self.state))
        elif self._model.state_size:
            self.init(seed=np.int64(seed))

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._entries:
            raise AttributeError(f"the model has no function '{name}', but {', '.join(self._entries)}")
        return lambda **arrays: self._call(self._entries[name], arrays)

    def _call(self, entry, arrays):
        tensors = entry.buffers[: entry.buffer_count]
        takes_gradients = all(tensor.role == GRADIENT for tensor in tensors)
        inputs = {tensor.name for tensor in tensors if tensor.role == INPUT}
        dims = np.full(entry.dim_count, -1, np.int64)
        buffers, results = [None] * len(tensors), {}
        names = []
        for tensor in tensors:
            again = tensor.role == COTANGENT or (tensor.role == GRADIENT and tensor.name in inputs)
            names.append(tensor.name.decode() + ("_gradient" if again else ""))
        written = [t.role in WRITTEN or (t.role == GRADIENT and not takes_gradients) for t in tensors]
        taken = {name for name, out in zip(names, written) if not out}
        if taken != set(arrays):
            raise TypeError(f"{entry.name.decode()} takes {sorted(taken)}, not {sorted(arrays)}")
        for i, tensor in enumerate(tensors):
            if not written[i]:
                buffers[i] = self._input(names[i], tensor, arrays[names[i]], dims)
        for i, tensor in enumerate(tensors):
            if written[i]:
                shape = [s if s >= 0 else dims[-1 - s] for s in tensor.shape[: tensor.rank]]
                buffers[i] = results[names[i]] = np.empty(shape, DTYPES[tensor.dtype])
        self._run(entry, dims, buffers)
        return results

    @staticmethod
    def _input(name, tensor, value, dims):
        array = np.ascontiguousarray(value, DTYPES[tensor.dtype]).reshape(np.shape(value))
        shape = tensor.shape[: tensor.rank]
        fits = len(shape) == array.ndim
        for size, declared in zip(array.shape, shape):
            symbol = -1 - declared
            if declared < 0 and dims[symbol] < 0:
                dims[symbol] = size
            fits = fits and size == (declared if declared >= 0 else dims[symbol])
        if not fits:
            wanted = [s if s >= 0 else f"dim{-1 - s}" for s in shape]
            raise ValueError(f"'{name}' has shape {list(array.shape)}; it takes {wanted}")
        if tensor.limit and array.size and not (0 <= array.min() and array.max() < tensor.limit):
            raise ValueError(f"'{name}' must be in [0, {tensor.limit})")
        return array

    def _run(self, entry, dims, buffers):
        pointers = (ctypes.c_void_p * len(buffers))(*[b.ctypes.data for b in buffers])
        for concrete in entry.concretes[: entry.concrete_count]:
            if concrete.dims and concrete.dims[: len(dims)] != list(dims):
                continue
            arena = aligned(ArenaSize(concrete.arena_size)(address(dims)))
            status = Function(concrete.run)(
                self._context, self._model.constants, address(self.state), address(arena), address(dims), pointers
            )
            if status:
                raise ValueError(f"{entry.name.decode()} refuses the sizes {list(dims)}")
            return
        raise ValueError(f"{entry.name.decode()} was not compiled for the sizes {list(dims)}")

    def variables(self):
        """Each variable's name and a copy of its value; of models that train, as it is now."""
        memory = self.state.ctypes.data if len(self.state) else self._model.constants
        values = {}
        for v in self._model.variables[: self._model.variable_count]:
            shape, dtype = tuple(v.shape[: v.rank]), np.dtype(DTYPES[v.dtype])
            count = int(np.prod(shape))
            flat = np.frombuffer(ctypes.string_at(memory + v.offset, count * dtype.itemsize), dtype)
            if v.panel:  # columns in panels of that many, one after the other
                flat = flat.reshape(-1, shape[0], v.panel).transpose(1, 0, 2)
            values[v.name.decode()] = flat.reshape(shape).copy()
        return values
