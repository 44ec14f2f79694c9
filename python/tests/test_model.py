"""Models: their files, and what they say of records."""

import json
import pickle

import numpy as np
import pytest

import trefoil
from trefoil import Model, TrefoilClassifier, TrefoilRegressor

random = np.random.RandomState(5)
X = random.normal(size=(60, 3)) * [1.0, 10.0, 0.1] + [0.0, 100.0, 5.0]
NAMES = ["a", "b", "c"]


@pytest.fixture(scope="module")
def classifier():
    labels = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    return TrefoilClassifier(hidden=(4,), epochs=3, engine="float", random_state=0).fit(X, labels)


@pytest.fixture(scope="module")
def regressor():
    return TrefoilRegressor(hidden=(4,), epochs=3, engine="float", random_state=0).fit(X, 7 * X[:, 1])


def test_it_says_what_the_estimator_says(classifier, regressor):
    model = classifier.model_
    assert isinstance(model, Model) and repr(model) == "Model(3-4-2)"
    assert (model.task, model.classes) == ("classification", ["no", "yes"])
    assert np.array_equal(model.answers(X), classifier.predict_proba(X))
    assert np.array_equal(model.predict(X), classifier.predict(X))
    assert (regressor.model_.task, regressor.model_.classes) == ("regression", None)
    assert np.array_equal(regressor.model_.predict(X), regressor.predict(X))
    assert regressor.model_.answers(X).shape == (60, 1)


@pytest.mark.parametrize("kind", ["safetensors", "onnx"])
def test_files_hold_all_of_it(classifier, regressor, kind, tmp_path):
    for estimator in (classifier, regressor):
        path = tmp_path / f"model.{kind}"
        estimator.model_.save(path)
        loaded = Model.load(path)
        assert (loaded.task, loaded.classes) == (estimator.model_.task, estimator.model_.classes)
        assert np.allclose(loaded.answers(X), estimator.model_.answers(X), rtol=1e-4, atol=1e-5)


def test_parameters(classifier, tmp_path):
    state = classifier.model_.state_dict()
    assert {name: values.shape for name, values in state.items()} == {
        "fc1.weight": (4, 3), "fc1.bias": (4,), "fc2.weight": (2, 4), "fc2.bias": (2,)
    }
    assert all(values.dtype == np.float32 for values in state.values())
    classifier.model_.save(str(tmp_path / "model.npz"))
    archive = np.load(tmp_path / "model.npz")
    assert all(np.array_equal(archive[name], values) for name, values in state.items())
    assert Model.load(tmp_path / "model.npz").network == "3-4-2"
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    hidden = np.maximum(standard @ state["fc1.weight"].T + state["fc1.bias"], 0)
    z = hidden @ state["fc2.weight"].T + state["fc2.bias"]
    assert np.allclose(np.exp(z[:, 1] - z[:, 0]), np.divide(*classifier.predict_proba(X).T[::-1]), rtol=0.05)


def test_onnx(classifier, tmp_path):
    path = tmp_path / "model"
    classifier.model_.to_onnx(path)
    data = path.read_bytes()

    class Proto:
        def SerializeToString(self):
            return data

    named = tmp_path / "named.onnx"
    named.write_bytes(data)
    for source in (named, str(named), data, Proto()):
        assert np.allclose(trefoil.from_onnx(source).answers(X), classifier.predict_proba(X), atol=1e-5)


def test_data_frames_by_name():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pandas.DataFrame(X, columns=NAMES)
    model = TrefoilClassifier(hidden=(4,), epochs=2, random_state=0).fit(frame, X[:, 0] > 0).model_
    expected = model.answers(X)
    more = frame[["c", "a"]].assign(other="text", b=frame.b)
    assert np.array_equal(model.answers(more), expected)
    assert np.array_equal(model.answers(polars.DataFrame({name: more[name].to_list() for name in more})), expected)
    assert np.array_equal(model.answers(frame.astype("float32").astype("float64")).round(4), expected.round(4))
    with pytest.raises(trefoil.DataError, match='records: found no column "b"'):
        model.answers(frame[["a", "c"]])


def test_columns_that_nobody_lends():
    """What has columns by name, and no Arrow: they are read one by one, each as what it is."""

    class Frame(dict):
        columns = property(lambda self: list(self))
        __len__ = lambda self: 2  # noqa: E731

    frame = Frame(a=np.array([1, 2**64 - 1], dtype=np.uint64), b=[0.5, 1.5], c=[True, False], d=["3", 4], e=np.array([-1, 2], dtype=np.int8))
    names, values = trefoil._core.matrix(frame)
    assert names == ["a", "b", "c", "d", "e"] and values.tolist() == [[1, 0.5, 1, 3, -1], [2.0**64, 1.5, 0, 4, 2]]
    with pytest.raises(ValueError, match="each name once"):
        trefoil._core.matrix(Frame(a=np.zeros((2, 2))))


def test_what_is_wrong_is_said_without_the_record(classifier):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(trefoil.DataError, match="expected 3 in each"):
        classifier.model_.answers(X[:, :2])
    with pytest.raises(ValueError, match="shape"):
        classifier.model_.answers(X[0])
    frame = pandas.DataFrame({"x0": [1.0, 2.0], "x1": ["3", "Miller"], "x2": [0.0, None]})
    with pytest.raises(trefoil.DataError, match='record 2, column "x1": found something else, expected a number') as error:
        classifier.model_.answers(frame)
    assert "Miller" not in str(error.value)
    with pytest.raises(trefoil.DataError, match='record 2, column "x2"'):
        classifier.model_.answers(frame.assign(x1=1))


def test_parameters_are_those_of_the_network():
    network = json.dumps({"input": 2, "nodes": [{"op": {"linear": {"outputs": 2}}, "name": "fc"}]})
    whole = {"fc.weight": np.array([1.0, 2.0, 3.0, 4.0]), "fc.bias": np.array([5.0, 6.0])}
    model = Model.from_parameters(network, whole, ["a", "b"])
    assert model.state_dict()["fc.weight"].tolist() == [[1, 2], [3, 4]] and model.classes == ["a", "b"]
    with pytest.raises(trefoil.ConfigError, match="parameters: found other.bias, expected those of the network"):
        Model.from_parameters(network, {**whole, "other.bias": np.zeros(1)})
    with pytest.raises(trefoil.ConfigError, match="fc.weight: found 3 values"):
        Model.from_parameters(network, {**whole, "fc.weight": np.zeros(3)})


def test_files_that_hold_no_model(classifier, tmp_path):
    with pytest.raises(trefoil.FileError) as error:
        Model.load(tmp_path / "nothing.safetensors")
    assert isinstance(error.value, OSError)
    (tmp_path / "text.safetensors").write_text("no model at all")
    with pytest.raises(trefoil.ModelError):
        Model.load(tmp_path / "text.safetensors")
    with pytest.raises(trefoil.ConfigError, match=".safetensors, .npz or .onnx"):
        classifier.model_.save(tmp_path / "model.txt")
    with pytest.raises(trefoil.ModelError):
        pickle.loads(pickle.dumps(classifier.model_).replace(b"fc2.weight", b"fc9.weight"))
