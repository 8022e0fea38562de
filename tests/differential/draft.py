"""A model while it is drawn, and what has been covered."""

from arguments import TABLES

MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
PASS_MASKS = (
    "Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Dropout", "SpatialDropout1D", "AlphaDropout",
    "GaussianDropout", "GaussianNoise", "BatchNormalization", "LayerNormalization", "GroupNormalization",
    "UnitNormalization", "Normalization", "Rescaling", "TimeDistributed", "ActivityRegularization",
)  # fmt: skip
NO_ARGUMENTS = {"": [None]}  # the layer itself is what is counted
ENOUGH = 2  # times that a value is to be compared
PLENTY = 10  # times after which it is hardly drawn


class Coverage:
    """How often each value of each argument has been used; only `layers` are wanted, or all."""

    def __init__(self, layers=None):
        self.counts = {
            (owner, argument, repr(value)): 0 if layers is None or owner in layers else PLENTY
            for owner, table in TABLES.items()
            for argument, values in (table or NO_ARGUMENTS).items()
            for value in values
        }

    def add(self, uses):
        for use in uses:
            self.counts[tuple(use)] += 1

    def least(self, owner, argument, values, rng):
        """One of the values, the less used the likelier."""
        weights = [1 / (1 + self.counts[owner, argument, repr(v)]) ** 2 for v in values]
        return rng.choices(values, weights)[0]

    def want(self, layer):
        """How much a layer is wanted: the more, the less its least used value was used."""
        counts = [count for (owner, _, _), count in self.counts.items() if owner == layer]
        return 1 / (1 + min(counts)) ** 2


class Draft:
    """A model while it is being drawn; `shapes` are those of inputs and nodes, without the batch."""

    def __init__(self, rng, coverage):
        self.rng, self.coverage = rng, coverage
        self.inputs, self.nodes, self.shapes, self.uses = [], [], [], []

    def pick(self, owner, argument, values=None):
        values = TABLES[owner][argument] if values is None else values
        value = self.coverage.least(owner, argument, values, self.rng)
        self.uses.append((owner, argument, repr(value)))
        return value

    def arguments(self, owner, **fixed):
        """Of a layer, a loss or an optimizer; those that are not fixed are drawn."""
        if not TABLES[owner]:
            self.uses.append((owner, "", repr(None)))
        return {name: fixed[name] if name in fixed else self.pick(owner, name) for name in TABLES[owner]}

    def add_input(self, kind):
        pick = self.rng.choice
        shape = {
            "volume": lambda: [pick([2, 3]), pick([3, 4]), pick([2, 5]), pick([1, 2])],
            "image": lambda: [pick([4, 5, 7, 8]), pick([4, 5, 6, 9]), pick([2, 4])],
            "sequence": lambda: [pick([1, 3, 4, 5]), pick([1, 2, 5, 16])],
            "tokens": lambda: [pick([1, 3, 5])],
            "vector": lambda: [pick([1, 3, 7, 16, 33])],
        }[kind]()
        self.inputs.append({"kind": kind, "shape": shape})
        self.shapes.append(shape)
        return len(self.shapes) - 1

    def is_masked(self, at):
        """Whether the tensor carries a mask."""
        if at < len(self.inputs):
            return False
        node = self.nodes[at - len(self.inputs)]
        layer, args = node["layer"], node["args"]
        if layer in MERGES:
            return all(self.is_masked(i) for i in node["from"])
        before = self.is_masked(node["from"][0])
        return {
            "Masking": True,
            "MultiHeadAttention": before,
            "Embedding": args.get("mask_zero"),
            "Concatenate": any(self.is_masked(i) for i in node["from"]),
            "Output": before and len(self.shapes[at]) > 1,
            "Sequential": before,
            "Bidirectional": before and len(self.shapes[at]) > 1,
        }.get(layer, before and (layer in PASS_MASKS or args.get("return_sequences", False)))

    def add(self, layer, args, sources, shape, **more):
        self.nodes.append({"layer": layer, "args": args, "from": sources, **more})
        self.shapes.append(list(shape))
        return len(self.shapes) - 1

    def mark(self):
        """How far the draft is, for back_to() and since()."""
        return len(self.nodes), len(self.uses)

    def since(self, mark):
        return self.nodes[mark[0] :]

    def back_to(self, mark):
        """Takes back what was added after the mark, and what it used."""
        nodes, uses = mark
        del self.nodes[nodes:], self.uses[uses:], self.shapes[len(self.inputs) + nodes :]
