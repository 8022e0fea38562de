"""Gives the cells of Keras's recurrent layers the dropout masks that Formwork draws.

A cell takes a stream for each mask, those of its inputs first; where it drops for each gate on its
own there are as many masks as gates.
"""

import numpy as np
import tensorflow as tf
from keras.src import backend
from keras.src.layers.rnn.dropout_rnn_cell import DropoutRNNCell

from philox import uniform

KINDS = ("dropout", "recurrent_dropout")


def streams_of(layer):
    """How many streams a layer's cell takes; 0 if it has none."""
    cell = getattr(layer, "cell", None)
    return sum((getattr(cell, "dropout_mask_count", None) or 1) for kind in KINDS if getattr(cell, kind, 0))


class CellMasks:
    def __init__(self):
        self.first, self.counter = {}, 0
        masks = self

        def replace(kind):
            def get(cell, step_input):
                if not getattr(cell, kind):
                    return None
                return masks.draw(cell, kind, step_input)

            setattr(DropoutRNNCell, f"get_{kind}_mask", get)

        for kind in KINDS:
            replace(kind)

    def draw(self, cell, kind, like):
        """One mask or a list of them, the same for all steps of a batch."""
        count = getattr(cell, "dropout_mask_count", None) or 1
        first = self.first.get(id(cell), 0)
        if kind == "recurrent_dropout" and cell.dropout:
            first += count
        rate, floatx = getattr(cell, kind), backend.standardize_dtype(like.dtype)
        if any(size is None for size in like.shape):  # a symbolic call, which draws nothing
            drawn = [tf.ones_like(like)] * count
        else:
            keep = [uniform(0, first + i, self.counter, tuple(like.shape), floatx) >= rate for i in range(count)]
            drawn = [tf.constant(np.where(k, 1 / (1 - rate), 0).astype(floatx)) for k in keep]
        return drawn if getattr(cell, "dropout_mask_count", None) else drawn[0]

    def begin(self, layers_and_streams):
        """Each layer with the number of its first stream."""
        self.first = {id(layer.cell): stream for layer, stream in layers_and_streams if streams_of(layer)}
