"""What Formwork is compared with: a peer makes closures that train on a batch or infer one.

A peer runs what it runs in `fit` and in serving, with nothing around it: a step that is compiled
where it compiles, on a batch that is already there. Each is at its best settings known; float32.
A peer is made in a process of its own, with its framework loaded there alone.
"""

import dataclasses
import importlib.util
import itertools
import os
import pathlib

import numpy as np


class Unavailable(Exception):
    """Why a peer has nothing to compare with; told in the table."""


@dataclasses.dataclass
class Case:
    """What is timed: Keras's archive, and the name of the native forms, or None."""

    archive: pathlib.Path
    name: str | None

    def native(self):
        if self.name is None:
            raise Unavailable("has no form of this model")
        return self.name


# ---- Keras --------------------------------------------------------------------------------------


class Keras:
    def __init__(self, case, xla):
        import keras

        self.model = keras.models.load_model(case.archive)
        self.xla = xla
        self.model.run_eagerly = False
        self.model.jit_compile = xla


class KerasTensorFlow(Keras):
    def train(self, x, y):
        """The compiled step that `fit` calls once per batch."""
        import tensorflow as tf

        self.model.make_train_function()
        iterator = iter(tf.data.Dataset.from_tensors((x, y)).cache().repeat().prefetch(8))
        return lambda: self.model.train_function(iterator)

    def infer(self, x):
        import tensorflow as tf

        function = tf.function(lambda value: self.model(value, training=False), jit_compile=self.xla)
        value = tf.nest.map_structure(tf.constant, x)
        return lambda: tf.nest.map_structure(lambda y: y.numpy(), function(value))


class KerasJax(Keras):
    def train(self, x, y):
        import jax

        self.model.make_train_function()
        self.model.train_on_batch(x, y)
        state = self.model._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
            purge_model_variables=False,
        )
        # The step donates its state: the first copy stays with the model.
        state = jax.tree.map(lambda v: v.copy() if hasattr(v, "copy") else v, state)
        held = [state, itertools.repeat(jax.device_put((x, y)))]

        def step():
            logs, held[0] = self.model.train_function(held[0], held[1])
            logs["loss"].block_until_ready()

        return step

    def infer(self, x):
        import jax

        trainable = [v.value for v in self.model.trainable_variables]
        others = [v.value for v in self.model.non_trainable_variables]
        function = jax.jit(
            lambda value: self.model.stateless_call(trainable, others, value, training=False)[0]
        )
        value = jax.device_put(x)
        return lambda: jax.tree.map(np.asarray, function(value))


# ---- plain JAX ----------------------------------------------------------------------------------


class PlainJax:
    def __init__(self, case, _):
        self.name = case.native()

    def train(self, x, y):
        import jax

        import jax_models

        step, begin = jax_models.train_step(self.name)
        step = jax.jit(step, donate_argnums=0)
        x, y = jax.device_put((x, y))
        held = [jax.tree.map(lambda v: v.copy(), begin(x))]

        def call():
            held[0], loss = step(held[0], x, y)
            loss.block_until_ready()

        return call

    def infer(self, x):
        import jax

        import jax_models

        x = jax.device_put(x)
        function = jax_models.predict(self.name, x)
        return lambda: np.asarray(function(x))


# ---- PyTorch ------------------------------------------------------------------------------------


class Torch:
    def __init__(self, case, compiled):
        import torch

        self.name, self.compiled = case.native(), compiled
        torch.set_num_threads(len(os.sched_getaffinity(0)))

    def train(self, x, y):
        import torch

        import torch_models

        module = torch_models.build(self.name, logits=True).train()
        loss = torch_models.loss(self.name)
        x, y = torch_models.tensor(x), torch_models.targets(self.name, y)
        optimizer = torch.optim.Adam(module.parameters(), fused=True)

        def forward(x, y):
            return loss(module(x), y)

        forward = torch.compile(forward) if self.compiled else forward

        def step():
            optimizer.zero_grad(set_to_none=True)
            forward(x, y).backward()
            optimizer.step()

        return step

    def infer(self, x):
        import torch

        import torch_models

        module, x = torch_models.build(self.name).eval(), torch_models.tensor(x)
        if self.compiled:
            import torch._inductor.config

            torch._inductor.config.freezing = True  # weights are packed when it compiles
            module = torch.compile(module)

        def call():
            with torch.inference_mode():
                return module(x).numpy()

        # Frozen weights are taken where no gradient can be asked for.
        return call


# ---- exported to ONNX ---------------------------------------------------------------------------


class Exported:
    """Of the native module, where recurrent layers are one op; else of Keras's model."""

    def __init__(self, case, _):
        self.case = case

    def train(self, x, y):
        raise Unavailable("does not train")

    def inputs(self, x):
        """As the exported model takes them: the native one has channels first."""
        if self.case.name and x.ndim == 4:
            return [np.ascontiguousarray(x.transpose(0, 3, 1, 2))]
        return as_list(x)

    def export(self, x):
        import onnx_export

        path = self.case.archive.with_suffix(f".{os.getpid()}.onnx")
        try:
            onnx_export.write(self.case, x, path)
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)


class OnnxRuntime(Exported):
    def infer(self, x):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        session = onnxruntime.InferenceSession(self.export(x), options, ["CPUExecutionProvider"])
        binding = session.io_binding()
        for given, value in zip(session.get_inputs(), self.inputs(x)):
            binding.bind_cpu_input(given.name, value)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        return lambda: session.run_with_iobinding(binding)


class OpenVino(Exported):
    def infer(self, x):
        import openvino

        core = openvino.Core()
        settings = {
            "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)),
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        compiled = core.compile_model(core.read_model(self.export(x)), "CPU", settings)
        request = compiled.create_infer_request()
        for index, value in enumerate(self.inputs(x)):
            request.set_input_tensor(index, openvino.Tensor(value, shared_memory=True))
        return request.infer


def as_list(x):
    return list(x) if isinstance(x, (list, tuple)) else [x]


@dataclasses.dataclass
class Peer:
    title: str
    make: type
    setting: bool = False  # with XLA, compiled
    backend: str = "jax"  # Keras's
    package: str = "keras"


PEERS = {
    "tf": Peer("Keras on TensorFlow", KerasTensorFlow, False, "tensorflow", "tensorflow"),
    "tf-xla": Peer("Keras on TensorFlow, XLA", KerasTensorFlow, True, "tensorflow", "tensorflow"),
    "keras-jax": Peer("Keras on JAX", KerasJax, True, "jax", "jax"),
    "jax": Peer("jax.jit", PlainJax, package="jax"),
    "torch": Peer("PyTorch eager", Torch, False, "torch", "torch"),
    "torch-compiled": Peer("PyTorch compiled", Torch, True, "torch", "torch"),
    "ort": Peer("ONNX Runtime", OnnxRuntime, backend="torch", package="onnxruntime"),
    "openvino": Peer("OpenVINO", OpenVino, backend="torch", package="openvino"),
}


def make(key, case):
    peer = PEERS[key]
    if importlib.util.find_spec(peer.package) is None:
        raise Unavailable(f"{peer.package} is not installed")
    return peer.make(case, peer.setting)
