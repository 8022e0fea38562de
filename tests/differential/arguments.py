"""What the generator draws from: every layer of the language, every value of every argument.

A value is covered when a model that contains it has been compared with Keras; the run prints how
often each was, and fails if one was compared fewer than twice.
"""

from families import LAYERS

# Each changes within a model's twelve steps.
SCHEDULES = {
    "ExponentialDecay": {"decay_steps": 5, "decay_rate": 0.9},
    "ExponentialDecay staircase": {"decay_steps": 5, "decay_rate": 0.9, "staircase": True},
    "PiecewiseConstantDecay": {"boundaries": [3, 8], "values": [0.01, 0.003, 0.001]},
    "PolynomialDecay": {"decay_steps": 9, "end_learning_rate": 1e-4, "power": 2.0},
    "InverseTimeDecay": {"decay_steps": 4, "decay_rate": 0.5},
    "CosineDecay": {"decay_steps": 9, "alpha": 0.1},
    "CosineDecay warmup": {"decay_steps": 6, "warmup_steps": 4, "warmup_target": 0.02},
    "CosineDecayRestarts": {"first_decay_steps": 5},
    "CosineDecayRestarts scaled": {"first_decay_steps": 3, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1},
    "PolynomialDecay cycle": {"decay_steps": 4, "end_learning_rate": 1e-3, "cycle": True},
    "InverseTimeDecay staircase": {"decay_steps": 4, "decay_rate": 0.5, "staircase": True},
}

# Not Lion, whose steps are the signs of gradients: of those that are 0 but for rounding as well.
OPTIMIZERS = {
    "SGD": {"momentum": [0.0, 0.9], "nesterov": [False, True]},
    "Adam": {
        "beta_1": [0.9, 0.5],
        "beta_2": [0.999, 0.9],
        "epsilon": [1e-7, 1e-3],
        "amsgrad": [False, True],
    },
    "AdamW": {"weight_decay": [0.004, 0.1]},
    "RMSprop": {
        "rho": [0.9, 0.5],
        "momentum": [0.0, 0.5],
        "epsilon": [1e-7, 1e-3],
        "centered": [False, True],
    },
    "Adagrad": {"initial_accumulator_value": [0.1, 0.5], "epsilon": [1e-7, 1e-3]},
    "Adadelta": {"rho": [0.95, 0.5], "epsilon": [1e-7, 1e-3]},
    "Adamax": {"beta_1": [0.9, 0.5], "beta_2": [0.999, 0.9], "epsilon": [1e-7, 1e-3]},
    "Nadam": {"beta_1": [0.9, 0.5], "beta_2": [0.999, 0.9], "epsilon": [1e-7, 1e-3]},
    "Ftrl": {
        "learning_rate_power": [-0.5, -0.7],
        "initial_accumulator_value": [0.1, 0.5],
        "l1_regularization_strength": [0.0, 0.01],
        "l2_regularization_strength": [0.0, 0.01],
        "l2_shrinkage_regularization_strength": [0.0, 0.01],
        "beta": [0.0, 0.1],
    },
}
LEARNING_RATE = {"learning_rate": ["constant", *SCHEDULES]}
# What Keras has around any optimizer.
AROUND = {
    "around": [
        {},
        {"clipnorm": 0.5},
        {"global_clipnorm": 0.5},
        {"clipvalue": 0.02},
        {"use_ema": True, "ema_momentum": 0.9},
        {"use_ema": True, "ema_overwrite_frequency": 3},
        {"gradient_accumulation_steps": 3},
        {"loss_scale_factor": 64.0},
    ]
}

# Loss -> its arguments. What the model must end in is in generate.py.
LOSSES = {
    "SparseCategoricalCrossentropy": {"from_logits": [False, True], "ignore_class": [None, 1]},
    "CategoricalCrossentropy": {"from_logits": [False, True], "label_smoothing": [0.0, 0.1]},
    "BinaryCrossentropy": {"from_logits": [False, True], "label_smoothing": [0.0, 0.1]},
    "CategoricalFocalCrossentropy": {
        "alpha": [0.25, 0.5],
        "gamma": [2.0, 1.5],
        "from_logits": [False, True],
        "label_smoothing": [0.0, 0.1],
    },
    "BinaryFocalCrossentropy": {
        "apply_class_balancing": [False, True],
        "alpha": [0.25, 0.5],
        "gamma": [2.0, 1.5],
        "from_logits": [False, True],
        "label_smoothing": [0.0, 0.1],
    },
    "MeanSquaredError": {"reduction": ["sum_over_batch_size", "sum"]},
    "MeanAbsoluteError": {},
    "MeanAbsolutePercentageError": {},
    "MeanSquaredLogarithmicError": {},
    "Huber": {},
    "LogCosh": {},
    "Poisson": {},
    "Hinge": {},
    "SquaredHinge": {},
    "CategoricalHinge": {},
    "CosineSimilarity": {},
    "KLDivergence": {},
    "Dice": {"axis": [None, -1]},
    "Tversky": {"alpha": [0.5, 0.3], "beta": [0.5, 0.8], "axis": [None, [0]]},
}
METRICS = {"metrics": [[], ["accuracy"], ["mae"], ["accuracy", "mae"]]}

TABLES = {
    **LAYERS,
    **OPTIMIZERS,
    **LOSSES,
    "learning rate": LEARNING_RATE,
    "optimizer": AROUND,
    "metrics": METRICS,
    "model": {
        "kind": ["sequential", "functional"],
        "inputs": [1, 2],
        "outputs": [1, 2],
        "shared layer": [False, True],
        "nested model": [False, True],
    },
}
