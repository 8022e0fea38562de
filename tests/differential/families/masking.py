"""Masking, which only does something to sequences of which steps were left out."""

ARGUMENTS = {"Masking": {"mask_value": [0.0, 0.5]}}


def masking(draft, at):
    return draft.add("Masking", draft.arguments("Masking"), [at], draft.shapes[at])


# Begins chains: what is grown on top has no steps to leave out.
BUILDERS = {}
