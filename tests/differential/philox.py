"""Philox 4x32-10 and the numbers that fw.random_uniform and fw.random_normal make of it; see their
records."""

import statistics

import numpy as np

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = 0x9E3779B9, 0xBB67AE85
MASK = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Ten rounds on four arrays of 32-bit words, held in uint64."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (
            (p1 >> np.uint64(32)) ^ b ^ np.uint64(k0),
            p1 & MASK,
            (p0 >> np.uint64(32)) ^ d ^ np.uint64(k1),
            p0 & MASK,
        )
        k0, k1 = (k0 + WEYL[0]) & 0xFFFFFFFF, (k1 + WEYL[1]) & 0xFFFFFFFF
    return np.stack([a, b, c, d])


def uniform(seed, stream, counter, shape, dtype):
    """Numbers in [0, 1) as fw.random_uniform draws them for [seed, counter] and the stream."""
    count = int(np.prod(shape))
    element = np.arange(count, dtype=np.uint64)
    block = (element >> np.uint64(6)) * np.uint64(16) + (element & np.uint64(15))
    word = ((element >> np.uint64(4)) & np.uint64(3)).astype(np.int64)
    same = np.ones_like(block)
    words = philox(
        (
            block & MASK,
            same * np.uint64(counter & 0xFFFFFFFF),
            same * np.uint64(stream),
            np.uint64(counter >> 32) ^ (((block >> np.uint64(32)) << np.uint64(16)) & MASK),
        ),
        (seed & 0xFFFFFFFF, seed >> 32),
    )
    chosen = words[word, np.arange(count)]
    if dtype == "float32":
        draws = (chosen >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)
    else:
        partner = words[(word + 2) & 3, np.arange(count)]
        draws = (((chosen << np.uint64(32)) ^ partner) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return draws.reshape(shape)


def normal(seed, stream, counter, shape, dtype):
    """The normal distribution's quantile at the middle of each uniform number's interval."""
    precision = 24 if dtype == "float32" else 53
    q = uniform(seed, stream, counter, shape, dtype).astype(np.float64) - 0.5 + 2.0 ** (-precision - 1)
    quantile = np.vectorize(statistics.NormalDist().inv_cdf, otypes=[np.float64])
    return (-np.sign(q) * quantile(0.5 - np.abs(q))).astype(dtype)
