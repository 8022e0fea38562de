"""One comparison: a peer and Formwork in this process, in turns. Prints its medians as JSON.

    peer.py BACKEND MODEL LIBRARY ROUNDS THREADS

The peer runs what it runs in `fit` and in serving, with nothing around it: its compiled train
function on a batch that is already there, and its compiled inference function.
"""

import json
import os
import statistics
import sys
import time

backend, name, library, rounds, threads = sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:6])
os.environ.update(
    KERAS_BACKEND=backend,
    TF_CPP_MIN_LOG_LEVEL="3",
    OMP_NUM_THREADS=str(threads),
    TF_NUM_INTRAOP_THREADS=str(threads),
    TF_NUM_INTEROP_THREADS=str(threads),
)
if threads == 1:
    # The only way that holds for every peer's own thread pools.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

import itertools
import pathlib

import models
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import formwork_model

TARGET = 0.02  # seconds that one sample should take


def keras_train(model, x, y):
    """The compiled step that `fit` calls once per batch."""
    model.make_train_function()
    if backend == "tensorflow":
        import tensorflow as tf

        iterator = iter(tf.data.Dataset.from_tensors((x, y)).cache().repeat().prefetch(8))
        return lambda: model.train_function(iterator)
    import jax

    model.train_on_batch(x, y)
    state = model._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
        purge_model_variables=False,
    )
    # The step donates its state: the first copy stays with the model.
    state = jax.tree.map(lambda v: v.copy() if hasattr(v, "copy") else v, state)
    held = [state, itertools.repeat((jax.device_put(x), jax.device_put(y)))]

    def step():
        logs, held[0] = model.train_function(held[0], held[1])
        logs["loss"].block_until_ready()

    return step


def keras_predict(model, x):
    if backend == "tensorflow":
        import tensorflow as tf

        function = tf.function(lambda value: model(value, training=False), reduce_retracing=True)
        value = tf.constant(x)
        return lambda: function(value).numpy()
    import jax

    trainable = [v.value for v in model.trainable_variables]
    others = [v.value for v in model.non_trainable_variables]
    function = jax.jit(lambda value: model.stateless_call(trainable, others, value, training=False)[0])
    value = jax.device_put(x)
    return lambda: np.asarray(function(value))


def sample(call):
    """Calls for about TARGET seconds; the seconds of one call."""
    call()
    start = time.perf_counter()
    call()
    count = max(1, int(TARGET / max(time.perf_counter() - start, 1e-7)))
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def alternate(ours, theirs):
    """Medians of both, in milliseconds, and of the ratio of neighbours."""
    for call in (ours, theirs):
        sample(call)
    pairs = [(sample(ours), sample(theirs)) for _ in range(rounds)]
    return {
        "formwork_ms": 1e3 * statistics.median(a for a, _ in pairs),
        "peer_ms": 1e3 * statistics.median(b for _, b in pairs),
        "ratio": statistics.median(b / a for a, b in pairs),
    }


def main():
    model = models.build(name)
    compiled = formwork_model.Model(library, name)
    results = {}
    x, y = models.batch(model, 32)
    results["train b32"] = alternate(compiled.train_step.prepare(x, y)[0], keras_train(model, x, y))
    for size in (1, 32):
        x, _ = models.batch(model, size)
        results[f"infer b{size}"] = alternate(compiled.predict.prepare(x)[0], keras_predict(model, x))
    print(json.dumps(results))


main()
