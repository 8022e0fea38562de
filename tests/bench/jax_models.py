"""The models of models.py in plain jax.numpy: weights as a list, Adam written out."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import models

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": jax.nn.softmax,
}


def scale(rng, *shape):
    return jnp.asarray(rng.normal(0, 1 / np.sqrt(max(1, np.prod(shape[:-1]))), shape), jnp.float32)


def zeros(*shape):
    return jnp.zeros(shape, jnp.float32)


class Layers:
    """Draws the weights on the first run through the rows; later runs read them in the same order."""

    def __init__(self, rows):
        self.rows = rows

    def weights(self, x):
        self.rng, self.drawn = np.random.default_rng(0), []
        self.run(None, x, None)
        return self.drawn

    def take(self, *makers):
        if self.given is None:
            self.drawn.append([make() for make in makers])
            return self.drawn[-1]
        return next(self.given)

    def run(self, weights, x, key):
        """`key` is None in inference. Also what batch normalization measured, by layer."""
        self.given = None if weights is None else iter(weights)
        self.measured = []
        self.key = key
        return self.apply(self.rows, x), self.measured

    def apply(self, rows, x):
        for kind, *given in rows:
            x = getattr(self, kind)(x, *given)
        return x

    def dense(self, x, units, activation):
        kernel, bias = self.take(lambda: scale(self.rng, x.shape[-1], units), lambda: zeros(units))
        return ACTIVATIONS[activation](x @ kernel + bias)

    def conv(self, x, filters, window, activation):
        kernel, bias = self.take(
            lambda: scale(self.rng, window, window, x.shape[-1], filters), lambda: zeros(filters)
        )
        y = lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return ACTIVATIONS[activation](y + bias)

    def pool(self, x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

    def flatten(self, x):
        return x.reshape(x.shape[0], -1)

    def relu(self, x):
        return jax.nn.relu(x)

    def dropout(self, x, rate):
        if self.key is None:
            return x
        self.key, own = jax.random.split(self.key)
        return jnp.where(jax.random.bernoulli(own, 1 - rate, x.shape), x / (1 - rate), 0)

    def batch_norm(self, x):
        gamma, beta, mean, variance = self.take(
            lambda: zeros(x.shape[-1]) + 1, *[lambda: zeros(x.shape[-1])] * 2, lambda: zeros(x.shape[-1]) + 1
        )
        if self.key is not None:
            moving, (mean, variance) = (mean, variance), (x.mean(0), x.var(0))
            self.measured.append([0.99 * m + 0.01 * now for m, now in zip(moving, (mean, variance))])
        return (x - mean) * lax.rsqrt(variance + 1e-3) * gamma + beta

    def embedding(self, x, words, width):
        (table,) = self.take(lambda: scale(self.rng, words, width))
        return table[x]

    def lstm(self, x, units, sequences):
        kernel, recurrent, bias = self.recurrent(x.shape[-1], units, 4, 4 * units)

        def step(carry, z):
            h, c = carry
            i, f, g, o = jnp.split(z + h @ recurrent, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        first = jnp.zeros((x.shape[0], units))
        return self.scan(step, (first, first), x @ kernel + bias, sequences)

    def gru(self, x, units, sequences):
        kernel, recurrent, bias = self.recurrent(x.shape[-1], units, 3, (2, 3 * units))

        def step(h, z):
            inner = h @ recurrent + bias[1]
            zx, rx, hx = jnp.split(z, 3, -1)
            zh, rh, hh = jnp.split(inner, 3, -1)
            update, reset = jax.nn.sigmoid(zx + zh), jax.nn.sigmoid(rx + rh)
            h = update * h + (1 - update) * jnp.tanh(hx + reset * hh)
            return h, h

        return self.scan(step, jnp.zeros((x.shape[0], units)), x @ kernel + bias[0], sequences)

    def recurrent(self, width, units, gates, bias):
        return self.take(
            lambda: scale(self.rng, width, gates * units),
            lambda: scale(self.rng, units, gates * units),
            lambda: zeros(*np.atleast_1d(bias)),
        )

    def scan(self, step, first, z, sequences):
        _, all_steps = lax.scan(step, first, z.swapaxes(0, 1))
        return all_steps.swapaxes(0, 1) if sequences else all_steps[-1]

    def branch(self, x, *branches):
        return jnp.concatenate([self.apply(rows, x) for rows in branches], -1)


def loss_of(kind, logits, y):
    if kind == models.CLASSES:
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[..., None], -1)
        return -jnp.mean(picked)
    if kind == models.BINARY:
        return jnp.mean(jnp.maximum(logits, 0) - logits * y + jnp.log1p(jnp.exp(-jnp.abs(logits))))
    return jnp.mean((logits - y) ** 2)


def moving_in(weights, measured):
    """The weights with their moving statistics replaced, in the order of the layers."""
    measured = iter(measured)
    return [[*w[:2], *next(measured)] if len(w) == 4 else w for w in weights]


def train_step(name):
    """step(state, x, y) -> state, loss; and the state to begin with, given an x."""
    model = models.find(name)
    rows = list(model.rows)
    if model.loss != models.SQUARES:
        rows[-1] = (*rows[-1][:-1], "linear")
    layers = Layers(rows)

    def loss(weights, x, y, key):
        logits, measured = layers.run(weights, x, key)
        return loss_of(model.loss, logits, y), measured

    def step(state, x, y):
        weights, first, second, count, key = state
        key, own = jax.random.split(key)
        (value, measured), gradient = jax.value_and_grad(loss, has_aux=True)(weights, x, y, own)
        count = count + 1
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        rate = 1e-3 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
        return (moving_in(weights, measured), first, second, count, key), value

    def begin(x):
        weights = layers.weights(x)
        slots = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
        return weights, *slots, jnp.float32(0), jax.random.key(0)

    return step, begin


def predict(name, x):
    layers = Layers(models.find(name).rows)
    weights = layers.weights(x)
    return jax.jit(lambda x: layers.run(weights, x, None)[0])
