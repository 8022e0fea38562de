"""What several families draw their arguments from."""

ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "softmax", "gelu"]
FEW_ACTIVATIONS = ["linear", "tanh", "softmax"]  # where activations are not what is tried
FORMATS = ["channels_last", "channels_first"]
INITIALIZERS = [
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "zeros", "ones", "random_uniform", "random_normal", "truncated_normal",
]  # fmt: skip
