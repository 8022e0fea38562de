"""Models as ONNX, for peers that only infer."""

import torch

import torch_models


def write(case, x, path):
    """For inputs of x's shape."""
    if case.name is None:
        import keras

        keras.models.load_model(case.archive, compile=False).export(path, format="onnx", verbose=False)
        return
    module = torch_models.build(case.name).eval()
    # The older exporter keeps recurrent layers whole, which the newer writes out step by step.
    torch.onnx.export(module, (torch_models.tensor(x),), path, dynamo=False)
