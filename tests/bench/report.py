"""The results as tables and as a chart."""

import math
import statistics

import native

KERNELS = ("matmul", "conv")
HEADER = (
    f"{'model':22} {'what':10} {'thr':>3} {'peer':25} {'Formwork':>10} {'from C':>10} {'peer ms':>10}"
    f" {'ratio':>6} {'share':>6}"
)


def print_machine(result, threads):
    print(
        f"{result['processor']}, {result['cores']} cores, load {result['load_before']:.2f} before;"
        f" float32, milliseconds, medians of {result['rounds']} rounds in turns"
    )
    for count in threads:
        probe = native.Native(count)
        levels = ", ".join(f"{size >> 10} KiB {rate / 1e9:.1f}" for size, rate in probe.levels().items())
        print(f"{count} thread(s): {probe.flops_per_second() / 1e9:.1f} GF/s of FMA; GB/s of {levels}")
    print(flush=True)


def print_row(row):
    start = f"{row['model']:22} {row['what']:10} {row['threads']:3} {row['peer'] or 'alone':25}"
    if "problem" in row:
        print(f"{start} {row['problem'][:160]}", flush=True)
        return
    theirs = f"{row['peer_ms']:10.4f} {row['ratio']:6.2f}" if "ratio" in row else " " * 17
    print(f"{start} {row['formwork_ms']:10.4f} {row['formwork_c_ms']:10.4f} {theirs} {row['share']:6.2f}", flush=True)


def mean(values):
    """Geometric."""
    return math.exp(statistics.fmean(map(math.log, values)))


def best_rows(rows):
    """Of each model, what and number of threads, the row of the fastest peer."""
    best = {}
    for row in rows:
        key = row["model"], row["what"], row["threads"]
        if "ratio" in row and (key not in best or row["ratio"] < best[key]["ratio"]):
            best[key] = row
    return best


def shares(rows):
    """Of each model, what and number of threads, the median share of the bound."""
    found = {}
    for row in rows:
        if "share" in row:
            found.setdefault((row["model"], row["what"], row["threads"]), []).append(row["share"])
    return {key: statistics.median(values) for key, values in found.items()}


def print_best(rows):
    best = best_rows(rows)
    if not best:
        return
    print("\nBeside the best peer of each row:")
    for (model, what, threads), row in best.items():
        print(f"{model:22} {what:10} {threads:3} {row['peer']:25} {row['ratio']:6.2f}")
    for what, threads in sorted({key[1:] for key in best}):
        ratios = {key[0]: row["ratio"] for key, row in best.items() if key[1:] == (what, threads)}
        worst = min(ratios, key=ratios.get)
        print(
            f"{what}, {threads} thread(s), {len(ratios)} models: geometric mean {mean(ratios.values()):.2f},"
            f" worst {ratios[worst]:.2f} ({worst})"
        )


def kept_shares(rows):
    """How much of its parent's share of the bound each variant keeps."""
    found = shares(rows)
    return {
        key: found[key] / found[parent]
        for key in found
        if (parent := (key[0].split("-")[0], *key[1:])) in found and parent != key
    }


def print_variants(rows):
    kept = kept_shares(rows)
    if not kept:
        return
    print("\nOf its parent's share of the bound a variant keeps:")
    for (model, what, threads), part in kept.items():
        print(f"{model:22} {what:10} {threads:3} {part:6.2f}")


def print_costs(costs):
    print(f"\n{'library':30} {'code bytes':>10} {'compile s':>10} {'to first result ms':>19} {'peak MiB':>9}")
    for model, kinds in costs.items():
        for kind, cost in kinds.items():
            print(
                f"{model + ', to ' + kind:30} {cost['code_bytes']:10} {cost['compile_s']:10.2f}"
                f" {cost['first_result_ms']:19.3f} {cost['peak_memory_bytes'] / 2**20:9.1f}"
            )


def print_summary(result):
    print_best(result["rows"])
    print_variants(result["rows"])
    print_costs(result["costs"])


def print_kernels(kind, threads, rows):
    peak = max(row["gflops_probe"] for row in rows)
    print(f"\n{kind} alone, {threads} thread(s), GF/s; {peak:.1f} GF/s of FMA; share of that or of bandwidth")
    print(f"{'shape':44} {'Formwork':>9} {'library':>9} {'ratio':>6} {'share':>6}")
    for row in rows:
        theirs = f"{row['peer_gflops']:9.1f} {row['ratio']:6.2f}" if "ratio" in row else " " * 16
        print(f"{row['shape']:44} {row['gflops']:9.1f} {theirs} {row['share']:6.2f}")
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    if ratios:
        print(f"{len(ratios)} shapes: geometric mean {mean(ratios):.2f}, worst {min(ratios):.2f}", flush=True)


# ---- the chart ----------------------------------------------------------------------------------


def bars(axes, title, ratios):
    """Ratios as horizontal bars, on a logarithmic axis that begins at 1."""
    names = list(ratios)
    values = [ratios[name] for name in names]
    axes.barh(names, [value - 1 for value in values], left=1, color=["#37c" if v >= 1 else "#c53" for v in values])
    for index, value in enumerate(values):
        axes.annotate(f"{value:.2f}", (max(value, 1), index), xytext=(3, 0), textcoords="offset points", va="center")
    axes.set_xscale("log", base=2)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlim(min(0.5, *values) * 0.9, max(2, *values) * 1.3)
    axes.invert_yaxis()
    axes.set_title(title, loc="left")


def charts(result):
    """{title: {bar: ratio}}"""
    found = {}
    for (model, what, threads), row in best_rows(result["rows"]).items():
        title = f"Times as fast as the best peer, {threads} thread(s)"
        found.setdefault(title, {})[f"{model}, {what} ({row['peer']})"] = row["ratio"]
    for row in result["kernels"]:
        if "ratio" in row:
            title = f"{row['kind']}, times as fast as the library, {row['threads']} thread(s)"
            found.setdefault(title, {})[row["shape"]] = row["ratio"]
    return found


def draw(result, path):
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plots

    drawn = charts(result)
    if not drawn:
        raise SystemExit(f"{path}: there is no ratio to draw; were any peers installed?")
    heights = [0.24 * len(ratios) + 1 for ratios in drawn.values()]
    figure, axes = plots.subplots(
        len(drawn), 1, figsize=(10, sum(heights)), squeeze=False, height_ratios=heights, layout="constrained"
    )
    for one, (title, ratios) in zip(axes[:, 0], drawn.items()):
        bars(one, title, ratios)
    figure.suptitle(f"{result['processor']}, float32", x=0.01, ha="left")
    figure.savefig(path)
