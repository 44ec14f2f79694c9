"""Records of whatever lends its columns by Arrow's C interface mean what the same records mean as arrays."""

import datetime
import decimal

import numpy as np
import pytest

import trefoil
from trefoil import _core

pyarrow = pytest.importorskip("pyarrow")

COLUMNS = {
    "whole": ([3, -1, 0, 7], None),
    "small": ([3, 255, 0, 7], "uint8"),
    "large": ([3, 2**64 - 1, 0, 7], "uint64"),
    "part": ([0.5, -2.0, 1e9, 7.25], "float32"),
    "half": ([0.5, -2.0, 1024.0, 7.25], "float16"),
    "flag": ([True, False, False, True], None),
}


def numbers():
    return pyarrow.table({name: pyarrow.array(values, type=kind) for name, (values, kind) in COLUMNS.items()})


def expected():
    return np.array([values for values, _ in COLUMNS.values()], dtype=np.float64).T


def test_numbers_of_every_lender():
    table = numbers()
    lenders = {"a table": table, "a batch": table.to_batches()[0], "a reader": table.to_reader(max_chunksize=3)}
    # Parts of buffers, in several batches.
    lenders["slices"] = pyarrow.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1, 3)])
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    lenders["polars"] = polars.DataFrame(table)
    lenders["pandas"] = table.to_pandas()
    lenders["pandas with an index"] = table.to_pandas().set_index(np.array(["u", "v", "w", "x"]))
    lenders["pandas by Arrow"] = table.to_pandas(types_mapper=pandas.ArrowDtype)
    for lender, records in lenders.items():
        names, values = _core.matrix(records)
        assert (names, values.tolist()) == (list(COLUMNS), expected().tolist()), lender
    # Values are there as long as somebody reads them, and no longer.
    names, values = _core.matrix(pyarrow.table({"a": np.arange(100_000)}))
    assert values.shape == (100_000, 1) and values[-1, 0] == 99_999
    held = pyarrow.total_allocated_bytes()
    for _ in range(20):
        _core.matrix(pyarrow.table({"a": pyarrow.array(range(10_000))}))
    assert pyarrow.total_allocated_bytes() <= held + 200_000


def test_duckdb_answers():
    duckdb = pytest.importorskip("duckdb")
    asked = duckdb.sql("select range as a, range * 0.5 as b from range(5000)")
    names, values = _core.matrix(asked)
    assert names == ["a", "b"] and values[-1].tolist() == [4999, 2499.5]


def kept():
    """The job's columns of a table of every kind that a category may have, by its schema."""
    day = datetime.date(2024, 2, 29)
    texts = ["u", "v", "w", "u"] * 50
    kinds = [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.binary()]
    columns = {f"text{i}": pyarrow.array(texts, type=kind) for i, kind in enumerate(kinds)}
    columns["places"] = pyarrow.array(texts).dictionary_encode()
    columns["day"] = pyarrow.array([day, datetime.date(1969, 12, 31)] * 100)
    columns["at"] = pyarrow.array([datetime.datetime(2024, 2, 29, 12, 30), datetime.datetime(1969, 12, 31)] * 100)
    columns["money"] = pyarrow.array([decimal.Decimal("1.25"), decimal.Decimal("-0.50")] * 100)
    columns["label"] = pyarrow.array(["ill", "well"] * 100)
    return pyarrow.table(columns)


def test_texts_dates_and_decimals():
    guessed = trefoil.schema(kept(), "label")
    columns = {column["name"]: column for column in guessed["columns"]}
    # Days since a date, and parts; with the hour where there are times.
    assert columns["day"]["kind"] == "date" and columns["day"]["since"] == "2000-01-01"
    assert columns["day"]["parts"] == ["month", "weekday"] and columns["at"]["parts"] == ["month", "weekday", "hour"]
    for name in ("text0", "text1", "text2", "text3", "places"):
        assert columns[name]["values"] == ["u", "v", "w"], name
    assert columns["money"]["mean"] == pytest.approx(0.375, abs=0.01) and columns["money"]["kind"] == "number"
    assert guessed["classes"] == ["ill", "well"]


def test_what_cannot_be_read():
    def refused(columns, why, error=trefoil.DataError):
        with pytest.raises(error, match=why) as found:
            _core.matrix(pyarrow.table(columns))
        assert "secret" not in str(found.value)

    refused({"a": [1.0, None]}, 'record 2, column "a": found something else, expected a number')
    with pytest.raises(trefoil.DataError, match="record 3"):
        _core.matrix(pyarrow.table({"a": [1.0, 2.0, 3.0, None]}).slice(1))
    refused({"a": ["1", "secret"]}, 'record 2, column "a": found something else, expected a number')
    refused({"a": [1.0], "b": [[1.0]]}, 'record 1, column "b": found something else, expected booleans, numbers, dates or texts, not nested')
    refused({"a": pyarrow.array([], pyarrow.int8())}, "found no records")
    with pytest.raises(trefoil.ConfigError, match="expected a table with columns"):
        _core.matrix(pyarrow.chunked_array([[1, 2]]))

    def fails():
        yield numbers().to_batches()[0]
        raise RuntimeError("the lender fails")

    with pytest.raises(trefoil.ConfigError, match="the lender fails"):
        _core.matrix(pyarrow.RecordBatchReader.from_batches(numbers().schema, fails()))


def test_a_frame_that_arrow_cannot_have():
    """Pandas may have columns of numbers and texts, which are read one by one instead."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": pandas.Series([1, "2", 3.5], dtype=object)})
    names, values = _core.matrix(frame)
    assert (names, values.tolist()) == (["a", "b"], [[1, 1], [2, 2], [3, 3.5]])


def test_estimators_take_tables():
    random = np.random.RandomState(0)
    x = random.randn(200, 2)
    y = np.where(x[:, 0] > 0, "up", "down")
    table = pyarrow.table({"first": x[:, 0], "second": x[:, 1]})
    settings = {"hidden": (8,), "epochs": 3, "batch_size": 32, "engine": "float", "random_state": 0}
    by_table = trefoil.TrefoilClassifier(**settings).fit(table, pyarrow.array(y))
    by_array = trefoil.TrefoilClassifier(**settings).fit(x, y)
    assert list(by_table.feature_names_in_) == ["first", "second"] and by_table.n_features_in_ == 2
    assert np.array_equal(by_table.predict_proba(table), by_array.predict_proba(x))
    # By name, in any order and among others.
    more = pyarrow.table({"other": y, "second": x[:, 1], "first": x[:, 0]}).select(["second", "first"])
    assert np.array_equal(by_table.predict(more), by_array.predict(x)) and by_table.score(more, y) > 0.9
    assert np.array_equal(by_table.model_.predict(table), by_array.predict(x))
    with pytest.raises(ValueError, match="found no column second"):
        by_table.predict(table.select(["first"]))
    target = trefoil.TrefoilRegressor(**settings).fit(table, x[:, 0])
    assert target.predict(table).shape == (200,)
