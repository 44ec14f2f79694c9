"""Data frames and arrays as columns, for the part in Rust."""

import sys

import numpy as np


def lent(records):
    """A stream of the records' columns by Arrow's C interface, as a capsule, and how many of these are meant, `None` for all.

    None where there is no such stream: of arrays, of pandas where there is no pyarrow, and of frames whose columns Arrow cannot have, such as
    one of numbers and texts.
    """
    if not hasattr(records, "__arrow_c_stream__") or sys.byteorder != "little":
        return None
    if not hasattr(records, "iloc"):
        return records.__arrow_c_stream__(), None
    # Pandas puts its index behind the columns.
    try:
        return records.__arrow_c_stream__(), len(records.columns)
    except (ImportError, NotImplementedError, TypeError, ValueError):
        return None


def is_lent(records):
    """Whether records lend their columns, and are no data frame that scikit-learn knows: tables of pyarrow, answers of DuckDB."""
    known = hasattr(records, "iloc") or type(records).__module__.split(".")[0] == "polars"
    return hasattr(records, "__arrow_c_stream__") and not known


def columns(records):
    """The names of the columns, the number of records, and the columns' values.

    A data frame of pandas or polars, a table of pyarrow, or anything else with `columns` and a column by its name, gives an entry a column: whole numbers and
    truth values as int64, other numbers as float64, all else as a list of texts. Whatever else there is becomes an array of float64 of shape
    (records, columns), and gives no names and one entry, record after record.
    """
    # A table of pyarrow has its columns' names elsewhere.
    names = getattr(records, "column_names", getattr(records, "columns", None))
    if names is None:
        array = np.asarray(records, dtype=np.float64)
        if array.ndim != 2:
            raise ValueError(f"records: found an array of shape {array.shape}, expected (records, columns)")
        return None, len(array), [array.reshape(-1)]
    # One after the other: no more than one of them is there twice.
    return [str(name) for name in names], len(records), (_values(records[name]) for name in names)


def plain(value):
    """A value of NumPy as one of Python's, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"job: found {type(value).__name__}, expected numbers, texts, lists and dicts")


def _values(column):
    array = np.asarray(column)
    if array.ndim != 1:
        raise ValueError(f"records: found a column of shape {array.shape}, expected (records,), each name once")
    if array.dtype.kind in "bi" or array.dtype.kind == "u" and array.dtype.itemsize < 8:
        return array.astype(np.int64, copy=False)
    if array.dtype.kind in "fu":
        return array.astype(np.float64, copy=False)
    # A value that is missing is refused as an empty text is.
    return ["" if value is None or value != value else str(value) for value in array.tolist()]
