"""The models of models.py as PyTorch modules, native and with channels last in memory."""

import torch
from torch import nn

import models

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(-1)}


class Recurrent(nn.Module):
    def __init__(self, kind, width, units, sequences):
        super().__init__()
        self.cells = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](width, units, batch_first=True)
        self.sequences = sequences

    def forward(self, x):
        y = self.cells(x)[0]
        return y if self.sequences else y[:, -1]


class Branch(nn.Module):
    def __init__(self, branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


def linear(shape, units):
    return nn.Linear(shape[-1], units), (*shape[:-1], units)


def layer(shape, kind, *given):
    """The module, and the shape of one sample after it; images are channels, height, width."""
    if kind == "dense":
        module, shape = linear(shape, given[0])
        return activated(module, given[1]), shape
    if kind == "conv":
        channels, height, width = shape
        filters, window, activation = given
        module = activated(nn.Conv2d(channels, filters, window), activation)
        return module, (filters, height - window + 1, width - window + 1)
    if kind == "pool":
        return nn.MaxPool2d(2), (shape[0], shape[1] // 2, shape[2] // 2)
    if kind == "flatten":
        return nn.Flatten(), (torch.Size(shape).numel(),)
    if kind == "embedding":
        return nn.Embedding(*given), (*shape, given[1])
    if kind in ("lstm", "gru"):
        units, sequences = given
        return Recurrent(kind, shape[-1], units, sequences), (shape[0], units) if sequences else (units,)
    if kind == "branch":
        parts = [sequence(shape, rows) for rows in given]
        return Branch(part for part, _ in parts), (sum(s[0] for _, s in parts), *parts[0][1][1:])
    return {
        "batch_norm": lambda: nn.BatchNorm1d(shape[0], eps=1e-3, momentum=0.01),
        "dropout": lambda: nn.Dropout(given[0]),
        "relu": nn.ReLU,
    }[kind](), shape


def activated(module, activation):
    if activation == "linear":
        return module
    return nn.Sequential(module, ACTIVATIONS[activation]())


def sequence(shape, rows):
    modules = []
    for row in rows:
        module, shape = layer(shape, *row)
        modules.append(module)
    return nn.Sequential(*modules), shape


def build(name, logits=False):
    """With `logits`, without the activation that the loss brings with it."""
    model = models.find(name)
    rows = list(model.rows)
    if logits and model.loss != models.SQUARES:
        rows[-1] = (*rows[-1][:-1], "linear")
    shape = model.shape if len(model.shape) != 3 else (model.shape[2], *model.shape[:2])
    module = sequence(shape, rows)[0]
    return module.to(memory_format=torch.channels_last) if len(shape) == 3 else module


def tensor(x):
    """Images keep their bytes: channels last."""
    value = torch.from_numpy(x)
    return value.permute(0, 3, 1, 2) if value.ndim == 4 else value


def loss(name):
    """Of logits and targets as models.batch gives them."""
    kind = models.find(name).loss
    if kind == models.CLASSES:
        cross = nn.CrossEntropyLoss()
        return lambda logits, y: cross(logits.flatten(0, -2), y.flatten())
    return nn.BCEWithLogitsLoss() if kind == models.BINARY else nn.MSELoss()


def targets(name, y):
    value = torch.from_numpy(y)
    return value.long() if models.find(name).loss == models.CLASSES else value
