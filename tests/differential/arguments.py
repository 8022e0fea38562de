"""What the generator draws from: every layer of the language, every value of every argument.

A value is covered when a model that contains it has been compared with Keras; the run prints how
often each was, and fails if one was compared fewer than ten times.
"""

ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "softmax", "gelu"]
INITIALIZERS = [
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "zeros", "ones", "random_uniform", "random_normal", "truncated_normal",
]  # fmt: skip

# Layer -> argument -> values. Shapes decide which values are possible at a place; what does not
# fit (a stride beside a dilation, say) is drawn again.
LAYERS = {
    "Dense": {
        "units": [1, 5, 8, 17],
        "activation": ACTIVATIONS,
        "use_bias": [True, False],
        "kernel_initializer": INITIALIZERS,
        "bias_initializer": ["zeros", "ones", "random_normal"],
    },
    "Flatten": {"data_format": ["channels_last", "channels_first"]},
    # The shape itself depends on what is reshaped: its dimensions reversed, or folded into two.
    "Reshape": {"target_shape": ["reversed", "reversed with -1", "two", "two with -1"]},
    "Activation": {"activation": ACTIVATIONS},
    "Dropout": {"rate": [0.0, 0.1, 0.5, 0.9], "seed": [None, 7]},
    "Add": {},
    "Multiply": {},
    "Concatenate": {"axis": [-1, 1, 2]},
    "BatchNormalization": {
        "axis": [-1, 1],
        "momentum": [0.99, 0.5],
        "epsilon": [1e-3, 1e-5],
        "center": [True, False],
        "scale": [True, False],
        "trainable": [True, False],
    },
    "LayerNormalization": {
        "axis": [-1, 1, [1, 2]],
        "epsilon": [1e-3, 1e-5],
        "center": [True, False],
        "scale": [True, False],
    },
    "Embedding": {"input_dim": [11, 50], "output_dim": [1, 3, 8], "mask_zero": [False]},
    "Conv2D": {
        "filters": [2, 4, 8, 34],
        "kernel_size": [1, 2, 3, [3, 2]],
        "strides": [1, 2, [2, 1]],
        "padding": ["valid", "same"],
        "dilation_rate": [1, 2],
        "groups": [1, 2],
        "activation": ACTIVATIONS,
        "use_bias": [True, False],
        "data_format": ["channels_last", "channels_first"],
    },
    "MaxPooling2D": {
        "pool_size": [1, 2, 3, [2, 3]],
        "strides": [None, 1, 2],
        "padding": ["valid", "same"],
        "data_format": ["channels_last", "channels_first"],
    },
    "GlobalAveragePooling2D": {
        "keepdims": [False, True],
        "data_format": ["channels_last", "channels_first"],
    },
    "LSTM": {
        "units": [1, 4, 9],
        "activation": ["tanh", "linear", "relu", "sigmoid"],
        "recurrent_activation": ["sigmoid", "tanh", "relu"],
        "use_bias": [True, False],
        "unit_forget_bias": [True, False],
        "return_sequences": [False, True],
        "go_backwards": [False, True],
        "recurrent_initializer": ["orthogonal", "glorot_uniform"],
    },
}

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
