"""How fast PyTorch and JAX are on the models of bench/: `peers.py "torch graph" digits 32`.

A step is one of Adam on a batch that is on the GPU already; times are medians of bursts, as
Formwork's own bench takes them.
"""

import json
import statistics
import sys
import time

CALLS, BURSTS = 16, 50

#: Layers of each model: ("dense", units) or ("dropout", rate); what goes in, per sample.
MODELS = {
    "digits": (64, [("dense", 32, True), ("dense", 10, False)]),
    "mlp": (784, [("dense", 128, True), ("dropout", 0.2), ("dense", 10, False)]),
}


def milliseconds(call, wait):
    for _ in range(20):
        call()
    wait()
    times = []
    for _ in range(BURSTS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        wait()
        times.append((time.perf_counter() - start) / CALLS)
    return 1e3 * statistics.median(times)


#---- PyTorch ------------------------------------------------------------------------------------


def torch_module(name):
    from torch import nn

    width, rows = MODELS[name]
    layers = []
    for kind, *given in rows:
        if kind == "dropout":
            layers.append(nn.Dropout(given[0]))
            continue
        layers.append(nn.Linear(width, given[0]))
        layers += [nn.ReLU()] if given[1] else []
        width = given[0]
    return nn.Sequential(*layers)


def captured(torch, call):
    """The call as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def time_torch(mode, name, size):
    import torch

    torch.set_float32_matmul_precision("highest")  # float32, as Formwork's
    model = torch_module(name).cuda()
    x = torch.rand(size, MODELS[name][0], device="cuda")
    y = torch.randint(0, 10, (size,), device="cuda")
    optimizer = torch.optim.Adam(model.parameters(), capturable=True, fused=True)
    loss = torch.nn.CrossEntropyLoss()

    def forward():
        with torch.no_grad():
            return torch.softmax(model(x), -1)

    def backward():
        optimizer.zero_grad(set_to_none=mode != "graph")
        value = loss(model(x), y)
        value.backward()
        return value

    compiled = torch.compile if mode == "compiled" else lambda function: function
    forward, backward = compiled(forward), compiled(backward)

    def step():
        backward()
        optimizer.step()

    model.eval()
    predict = captured(torch, forward) if mode == "graph" else forward
    results = {"predict": milliseconds(predict, torch.cuda.synchronize)}
    model.train()
    train = captured(torch, step) if mode == "graph" else step
    return results | {"train_step": milliseconds(train, torch.cuda.synchronize)}


#---- JAX ----------------------------------------------------------------------------------------


def time_jax(name, size):
    import jax
    import jax.numpy as jnp

    if jax.default_backend() != "gpu":
        raise ModuleNotFoundError("JAX has no GPU here")
    jax.config.update("jax_default_matmul_precision", "highest")
    width, rows = MODELS[name]
    keys = iter(jax.random.split(jax.random.key(0), 32))
    weights = []
    for kind, *given in rows:
        if kind == "dense":
            weights.append((jax.random.normal(next(keys), (width, given[0])) * 0.05, jnp.zeros(given[0])))
            width = given[0]

    def logits(weights, x, key=None):
        layers = iter(weights)
        for kind, *given in rows:
            if kind == "dropout":
                if key is not None:
                    x = jnp.where(jax.random.bernoulli(key, 1 - given[0], x.shape), x / (1 - given[0]), 0)
                continue
            kernel, bias = next(layers)
            x = x @ kernel + bias
            x = jnp.maximum(x, 0) if given[1] else x
        return x

    def loss(weights, x, y, key):
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(logits(weights, x, key)), y[:, None], 1))

    def step(state, x, y):
        weights, first, second, count, key = state
        key, own = jax.random.split(key)
        value, gradient = jax.value_and_grad(loss)(weights, x, y, own)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return (weights, first, second, count, key), value

    x = jax.random.uniform(next(keys), (size, MODELS[name][0]))
    y = jax.random.randint(next(keys), (size,), 0, 10)
    zeros = jax.tree.map(jnp.zeros_like, weights)
    held = [(jax.tree.map(jnp.copy, weights), zeros, jax.tree.map(jnp.copy, zeros), jnp.float32(0), next(keys))]
    predict = jax.jit(lambda x: jax.nn.softmax(logits(weights, x)))
    train = jax.jit(step, donate_argnums=0)
    last = [None]

    def call_predict():
        last[0] = predict(x)

    def call_train():
        held[0], last[0] = train(held[0], x, y)

    wait = lambda: jax.block_until_ready((last[0], held[0]))
    return {"predict": milliseconds(call_predict, wait), "train_step": milliseconds(call_train, wait)}


def main(peer, name, size):
    library, _, mode = peer.partition(" ")
    print(json.dumps(time_jax(name, int(size)) if library == "jax" else time_torch(mode, name, int(size))))


main(*sys.argv[1:])
