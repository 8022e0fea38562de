#!/usr/bin/env python3
"""Derives the polynomials of MathExpansion.cpp: writes Coefficients.inc beside this file.

Each polynomial minimises the largest error, relative to the weight given, over its interval: Remez's
exchange in 60 digits, begun at Chebyshev's nodes. Needs mpmath. Run it again only to change a degree.
"""
import os

from mpmath import mp, mpf, chop, cos, erf, erfc, exp, expm1, log, log1p, lu_solve, matrix, pi, sin, sqrt

mp.dps = 60


def evaluate(coefficients, x):
    value = mpf(0)
    for c in reversed(coefficients):
        value = value * x + c
    return value


def extrema(error, low, high, nodes):
    """The largest error between neighbouring sign changes, on a fine grid."""
    grid = [low + (high - low) * (1 - cos(pi * i / (60 * nodes))) / 2 for i in range(60 * nodes + 1)]
    values = [error(x) for x in grid]
    found, start = [], 0
    for i in range(1, len(grid) + 1):
        if i == len(grid) or (values[i] > 0) != (values[start] > 0):
            best = max(range(start, i), key=lambda j: abs(values[j]))
            found.append(grid[best])
            start = i
    return found


def remez(f, degree, low, high, weight=lambda x: mpf(1), rounds=8):
    """c with |f - c| * weight least at its worst; the error's extrema must alternate."""
    low, high = mpf(low), mpf(high)
    count = degree + 2
    points = [low + (high - low) * (1 - cos(pi * (2 * i + 1) / (2 * count))) / 2 for i in range(count)]
    for _ in range(rounds):
        a, b = matrix(count, count), matrix(count, 1)
        for i, x in enumerate(points):
            for j in range(degree + 1):
                a[i, j] = x**j
            a[i, degree + 1] = (-1) ** i / weight(x)
            b[i] = f(x)
        solution = lu_solve(a, b)
        coefficients = [solution[j] for j in range(degree + 1)]
        candidates = extrema(lambda x: (f(x) - evaluate(coefficients, x)) * weight(x), low, high, count)
        if len(candidates) < count:
            break
        while len(candidates) > count:
            error = lambda x: abs((f(x) - evaluate(coefficients, x)) * weight(x))
            candidates.pop(0 if error(candidates[0]) < error(candidates[-1]) else -1)
        points = candidates
    worst = max(
        abs((f(x) - evaluate(coefficients, x)) * weight(x))
        for x in [low + (high - low) * i / 2000 for i in range(2001)]
    )
    return coefficients, worst


def safe(f, limit):
    """f, but its limit at zero."""
    return lambda x: f(x) if abs(x) > mpf(10) ** -15 else limit(x)


half = log(2) / 2 * mpf("1.0001")
# exp(r) = 1 + r + r^2 q(r)
q_exp = safe(lambda r: (expm1(r) - r) / r**2, lambda r: mpf(1) / 2 + r / 6)
# log(1 + f) = f - f^2 / 2 + f^3 p(f)
p_log = safe(lambda f: (log1p(f) - f + f**2 / 2) / f**3, lambda f: mpf(1) / 3 - f / 4)
low_f, high_f = sqrt(mpf(2)) / 2 - 1 - mpf("1e-6"), sqrt(mpf(2)) - 1 + mpf("1e-6")
# log((1 + s) / (1 - s)) = 2 s + s^3 r(s^2)
s_max = ((sqrt(mpf(2)) - 1) / (sqrt(mpf(2)) + 1)) * mpf("1.0001")
r_log = lambda z: (log((1 + sqrt(z)) / (1 - sqrt(z))) - 2 * sqrt(z)) / sqrt(z) ** 3 if z > mpf(10) ** -12 else mpf(2) / 3 + 2 * z / 5
quarter = (pi / 4) ** 2 * mpf("1.0001")
# sin(r) = r + r^3 s(r^2), cos(r) = 1 - r^2 / 2 + r^4 c(r^2)
p_sin = lambda z: (sin(sqrt(z)) - sqrt(z)) / sqrt(z) ** 3 if z > mpf(10) ** -12 else -mpf(1) / 6 + z / 120
p_cos = lambda z: (cos(sqrt(z)) - 1 + z / 2) / z**2 if z > mpf(10) ** -12 else mpf(1) / 24 - z / 720
# erf(x) = x + x e(x^2) below a border; 1 - exp(g(x) - x^2) above
p_erf = lambda z: erf(sqrt(z)) / sqrt(z) - 1 if z > mpf(10) ** -20 else 2 / sqrt(pi) * (1 - z / 3) - 1
p_tail = lambda x: log(erfc(x)) + x**2

TABLE = [
    # name, function, degree in f32 and f64, interval, weight
    ("exp", q_exp, 4, 10, -half, half, lambda r: r**2 / exp(r) if r else mpf(10) ** -20),
    ("log", p_log, 7, 19, low_f, high_f, lambda f: abs(f) ** 2 + mpf(10) ** -20),
    ("logRatio", r_log, None, 8, 0, s_max**2, lambda z: mpf(1)),
    ("sin", p_sin, 2, 6, 0, quarter, lambda z: z + mpf(10) ** -20),
    ("cos", p_cos, 2, 6, 0, quarter, lambda z: z**2 + mpf(10) ** -20),
    ("erf", p_erf, 6, 12, 0, 1, lambda z: mpf(1)),
]
TAILS = {32: (1, mpf("4.0"), 7), 64: (1, mpf("6.0"), 24)}


def emit(out, name, bits, coefficients, worst):
    out.append(f"// {name}, f{bits}: error {mp.nstr(worst, 3)}")
    out.append(f"inline constexpr double {name}{bits}[] = {{")
    for c in coefficients:
        out.append(f"    {float(chop(c)).hex()},")
    out.append("};")


def main():
    out = ["// Written by coefficients.py."]
    for name, f, single, double, low, high, weight in TABLE:
        for bits, degree in ((32, single), (64, double)):
            if degree is not None:
                emit(out, name, bits, *remez(f, degree, low, high, weight))
    for bits, (low, high, degree) in TAILS.items():
        center, radius = (low + high) / 2, (high - low) / 2
        # In t = (x - center) / radius, whose powers stay small.
        c, worst = remez(lambda t: p_tail(center + radius * t), degree, -1, 1,
                         lambda t: erfc(center + radius * t))
        emit(out, "erfTail", bits, c, worst)
        out.append(f"inline constexpr double erfTailCenter{bits} = {float(center)}, "
                   f"erfTailRadius{bits} = {float(radius)};")
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "Coefficients.inc")
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


main()
