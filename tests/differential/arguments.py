"""What the generator draws from: every layer of the language, every value of every argument.

A value is covered when a model that contains it has been compared with Keras; the run prints how
often each was, and fails if one was compared fewer than twice.
"""

from families import LAYERS

SCHEDULES = {
    "ExponentialDecay": {"decay_steps": 7, "decay_rate": 0.9},
    "ExponentialDecay staircase": {"decay_steps": 7, "decay_rate": 0.9, "staircase": True},
    "PiecewiseConstantDecay": {"boundaries": [4, 11], "values": [0.01, 0.003, 0.001]},
    "PolynomialDecay": {"decay_steps": 15, "end_learning_rate": 1e-4, "power": 2.0},
    "InverseTimeDecay": {"decay_steps": 5, "decay_rate": 0.5},
    "CosineDecay": {"decay_steps": 15, "alpha": 0.1},
    "CosineDecayRestarts": {"first_decay_steps": 6},
}

OPTIMIZERS = {
    "SGD": {"momentum": [0.0, 0.9], "nesterov": [False, True]},
    "Adam": {
        "beta_1": [0.9, 0.5],
        "beta_2": [0.999, 0.9],
        "epsilon": [1e-7, 1e-3],
        "amsgrad": [False, True],
    },
}
LEARNING_RATE = {"learning_rate": ["constant", *SCHEDULES]}

# Loss -> what the model must end in, and the loss's arguments.
LOSSES = {
    "SparseCategoricalCrossentropy": {"from_logits": [False, True]},
    "CategoricalCrossentropy": {"from_logits": [False, True], "label_smoothing": [0.0, 0.1]},
    "BinaryCrossentropy": {"from_logits": [False, True], "label_smoothing": [0.0, 0.1]},
    "MeanSquaredError": {},
}
METRICS = {"metrics": [[], ["accuracy"], ["mae"], ["accuracy", "mae"]]}

TABLES = {
    **LAYERS,
    **OPTIMIZERS,
    **LOSSES,
    "learning rate": LEARNING_RATE,
    "metrics": METRICS,
    "model": {
        "kind": ["sequential", "functional"],
        "inputs": [1, 2],
        "outputs": [1, 2],
        "shared layer": [False, True],
        "nested model": [False, True],
    },
}
