"""A training between organisations, from Python: what a data owner and a model owner do."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

from . import _core
from ._core import Job, Key, Model


def schema(
    records: Any, label: str, task: str | None = None, id: str | None = None, without: Sequence[str] = ()
) -> dict[str, Any]:
    """What a job's `data` says of records like those of a data frame: a dict to look over, and to give to `Job.build`.

    All columns but the label's, the identifier's and those in `without` are features. Numbers have mean and deviation, with three digits of
    the deviation; texts become categories. What would publish somebody, such as a column called "email" or texts that mostly occur once, and
    what is not what it seems, such as numbers with texts among them, is left out with a warning that says why. `task` is "classification" or "regression", by default what the label looks like; `id` is the
    column that tells the same records of several owners. All of it becomes public.
    """
    return _core.schema(records, label, task, id, list(without))


def share(records: Any, job: Job, key: str | PathLike[str] | Key, timeout: float = 30.0) -> dict[str, Any]:
    """Shares all records of a data frame with the three parties of a job, which is to approve it.

    The frame is one of pandas or polars, or whatever else lends its columns by Arrow's C interface: a table of pyarrow, an answer of DuckDB. It
    has the columns of the job's `[data]` by their names, in any order and with others among them, and in their own units: they are
    standardised, encoded and split into shares in this process, from where they are in memory. Nothing is written to a disk. What the owner should know of
    its records first, such as values that are clipped, is a `DataWarning` each, before anything leaves the process. `key` is the key of one of the job's data
    owners; `timeout` is in seconds: how long a party is called, and its answer waited for. Gives the upload's name, and how many records are
    to train on and how many are held out. Where owners have columns of the same people, rows are joined by identifiers that nobody is shown, and
    this waits until all owners have shared; interrupted, it goes on when it is called again.
    """
    return job.share(records, key, timeout, stacklevel=2)


def fetch(job: Job, key: str | PathLike[str] | Key, wait: float = 0.0, timeout: float = 30.0) -> Model:
    """Fetches the model of a job that is trained, and puts it together from the parties' shares.

    `key` is the model owner's; `wait` is how many seconds to wait until the job is trained.
    """
    if wait:
        job.wait(key, wait, timeout)
    return job.fetch(key, timeout)
