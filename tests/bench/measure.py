"""How everything here is timed: in turns, for about the same time each, and medians of that."""

import os
import statistics
import time

TARGET = 0.02  # seconds that one sample should take


def pin(threads):
    """Keeps this process, and every pool of threads that it makes later, on as many cores: the only
    way that holds for every peer."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    if len(cores) < threads:
        raise SystemExit(f"{threads} threads are asked for, and this process may use {len(cores)} cores")
    os.sched_setaffinity(0, cores)


def sample(call, target=TARGET):
    """Calls for about `target` seconds; the seconds of one call."""
    start = time.perf_counter()
    call()
    count = max(1, int(target / max(time.perf_counter() - start, 1e-7)))
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def alternate(samplers, rounds):
    """The results of each of {name: sampler}, a sampler being called once in each round, in turns;
    the first round only warms up."""
    for sampler in samplers.values():
        sampler()
    results = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sampler in samplers.items():
            results[name].append(sampler())
    return results


def ratio(theirs, ours):
    """The median ratio of neighbours."""
    return statistics.median(b / a for a, b in zip(ours, theirs))
