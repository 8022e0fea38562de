"""The layers of the language, a file for each family: a new layer is a table of arguments and a function.

A family has ARGUMENTS, layer -> argument -> the values that are drawn, and BUILDERS, layer -> the
ranks (without the batch) that the layer takes and the function that draws it on top of a node,
which returns the new node, or None if what it drew does not fit there.
"""

from families import (
    activation,
    attention,
    convolution,
    core,
    embedding,
    masking,
    merge,
    noise,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    resizing,
)

FAMILIES = [
    core,
    activation,
    noise,
    preprocessing,
    merge,
    normalization,
    convolution,
    pooling,
    resizing,
    recurrent,
    embedding,
    masking,
    attention,
]

# Shapes decide which values are possible at a place; what does not fit (a stride beside a dilation,
# say) is drawn again.
LAYERS = {layer: table for family in FAMILIES for layer, table in family.ARGUMENTS.items()}
BUILDERS = {layer: row for family in FAMILIES for layer, row in family.BUILDERS.items()}
