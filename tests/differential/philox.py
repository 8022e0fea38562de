"""Philox 4x32-10 and the uniform numbers that fw.random_uniform makes of it; see its record."""

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
