"""What several families draw their arguments from."""

ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "softmax", "gelu"]
INITIALIZERS = [
    "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "zeros", "ones", "random_uniform", "random_normal", "truncated_normal",
]  # fmt: skip
