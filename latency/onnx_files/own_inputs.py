"""A user's own arrays: checked, and given to the models that have inputs of these names."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from itertools import chain

import numpy as np

from latency.device.graph import Input, model_inputs
from latency.device.inputs import Arrays, check_array
from latency.errors import LatencyError, ModelFileError


def take_arrays(
    arrays: Arrays, models: Mapping[str, bytes], source: str
) -> dict[str, dict[str, np.ndarray]]:
    """Gives each model the arrays that are named as its inputs.

    Args:
        arrays: Input name -> array.
        models: Name -> serialised model, whose inputs are of fixed shape.
        source: Where the arrays come from, for messages.

    Returns:
        Model -> its arrays, as they are fed; none for a model that has no input of these names.

    Raises:
        ModelFileError: No model has such an input, or an array does not fit.
    """
    inputs = {
        key: {entry.name: entry for entry in model_inputs(data)} for key, data in models.items()
    }
    known = list(dict.fromkeys(chain.from_iterable(inputs.values())))
    for name in arrays:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.6)
            raise ModelFileError(
                f"arrays named as inputs of the models ({', '.join(known) or 'none'})",
                f"{name!r} in {source}",
                (f"did you mean {near[0]!r}? " if near else "")
                + "Name arrays as inputs in numpy.savez(FILE, name=array)",
            )
    return {
        key: {
            name: _fitting(key, np.asarray(array), own[name], source)
            for name, array in arrays.items()
            if name in own
        }
        for key, own in inputs.items()
    }


def _fitting(key: str, array: np.ndarray, entry: Input, source: str) -> np.ndarray:
    try:
        return check_array(array, entry)
    except LatencyError as error:
        raise ModelFileError(
            f"{error.expected} of {key}", f"{error.received}, in {source}", error.fix
        ) from error
