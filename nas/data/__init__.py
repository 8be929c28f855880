"""Images: layouts, cache, batches. Imports neither Keras nor TensorFlow."""

from nas.data.dataset import DataError, Dataset, Split, split_holdout
from nas.data.load import from_arrays, load_dataset, load_sample

__all__ = [
    "DataError",
    "Dataset",
    "Split",
    "from_arrays",
    "load_dataset",
    "load_sample",
    "split_holdout",
]
