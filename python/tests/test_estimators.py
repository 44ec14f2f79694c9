"""The estimators, as scikit-learn sees them and as their users do."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import trefoil
from trefoil import TrefoilClassifier, TrefoilRegressor

# Small, since each check trains a few times.
SMALL = [
    TrefoilClassifier(hidden=(8,), epochs=20, batch_size=16, random_state=0),
    TrefoilRegressor(hidden=(8,), epochs=30, batch_size=16, random_state=0),
]
SMALL += [clone(estimator).set_params(engine="float") for estimator in SMALL]

ROUNDING = "masks come from the operating system: two trainings from one state differ by rounding, and the check compares to 1e-7"


def expected_to_fail(estimator):
    """On shares three checks that train twice and compare; in floating point, from the same weights and batches, none."""
    if estimator.engine == "float":
        return {}
    twice = ["check_fit_idempotent"]
    if isinstance(estimator, TrefoilRegressor):
        twice += ["check_supervised_y_2d", "check_regressor_data_not_an_array"]
    return dict.fromkeys(twice, ROUNDING)


@parametrize_with_checks(SMALL, expected_failed_checks=expected_to_fail)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


@pytest.fixture
def points():
    """Three groups of points in the plane."""
    random = np.random.RandomState(3)
    y = np.arange(90) % 3
    return random.normal(size=(90, 2)) + 6 * np.array([[0, 0], [1, 0], [0, 1]])[y], y


def test_digits(digits):
    secure = TrefoilClassifier(random_state=1).fit(*digits)
    plain = TrefoilClassifier(random_state=1, engine="float").fit(*digits)
    score, in_the_clear = secure.score(*digits), plain.score(*digits)
    print(f"\ndigits: {score:.4f} on shares, {in_the_clear:.4f} in the clear")
    assert score >= 0.95 and abs(score - in_the_clear) <= 0.01
    assert secure.model_.network == "64-256-10" and len(secure.model_.classes) == 10
    difference = np.abs(secure.predict_proba(digits[0]) - plain.predict_proba(digits[0])).max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("suite", ["masked", "securenn"])
def test_suites(points, suite):
    model = TrefoilClassifier(hidden=(8,), epochs=20, batch_size=32, suite=suite, random_state=0).fit(*points)
    assert model.score(*points) > 0.95


def test_history(points):
    pandas = pytest.importorskip("pandas")
    settings = {"hidden": (4,), "epochs": 3, "batch_size": 30, "random_state": 0}
    history = TrefoilClassifier(**settings).fit(*points).history_
    assert isinstance(history, pandas.DataFrame)
    assert list(history) == ["epoch", "loss", "accuracy", "seconds", "bytes", "rounds"]
    assert list(history.epoch) == [1, 2, 3] and (history[["seconds", "bytes", "rounds"]] > 0).all(axis=None)
    plain = TrefoilClassifier(engine="float", **settings).fit(*points).history_
    assert np.allclose(history.loss, plain.loss, atol=1e-3) and (plain.bytes == 0).all()
    held_out = TrefoilRegressor(validation_fraction=0.2, patience=1, keep="best", **settings).fit(points[0], points[0][:, 0])
    assert "validation_squared_error" in held_out.history_


def test_metrics_and_class_weights():
    pytest.importorskip("pandas")
    random = np.random.RandomState(0)
    X = random.normal(size=(600, 4))
    y = (X[:, 0] + 0.5 * random.normal(size=600) > 1.5).astype(int)
    settings = {"hidden": (), "epochs": 6, "batch_size": 32, "learning_rate": 0.05, "random_state": 0}
    metrics = ("confusion", "recall", "auc", "log-loss")
    plain = TrefoilClassifier(metrics=metrics, **settings).fit(X, y)
    assert list(plain.history_)[2:7] == ["accuracy", "confusion", "recall", "auc", "log_loss"]
    assert [figure["metric"] for figure in plain.figures_] == ["accuracy", *metrics]
    counts = np.array(plain.figures_[1]["counts"])
    assert counts.sum() == 600 and counts[1].sum() == y.sum()
    assert abs(plain.history_.auc.iloc[-1] - roc_auc_score(y, plain.predict_proba(X)[:, 1])) < 1e-3
    # Rare positives are found once they count as much as the others; by their number, which nobody is shown, as by weights that say the same.
    share = y.mean()
    given = {0: 0.5 / (1 - share), 1: 0.5 / share}
    for engine in ("shares", "float"):
        both = [TrefoilClassifier(class_weight=w, engine=engine, **settings).fit(X, y) for w in ("balanced", given)]
        recalls = [recall_score(y, model.predict(X)) for model in both]
        assert min(recalls) > recall_score(y, plain.predict(X)) + 0.1
        assert np.abs(both[0].predict_proba(X) - both[1].predict_proba(X)).max() < 0.01
    with pytest.raises(ValueError, match="class_weight"):
        TrefoilClassifier(class_weight="even", **settings).fit(X, y)
    with pytest.raises(trefoil.ConfigError, match="metric: found \"mcc\", expected accuracy"):
        TrefoilClassifier(metrics=("mcc",), **settings).fit(X, y)
    more = TrefoilRegressor(hidden=(), epochs=3, metrics=("r2", "absolute-error")).fit(X, X[:, 0] * 2)
    assert list(more.history_)[2:5] == ["squared_error", "absolute_error", "r2"]


def test_history_without_pandas(points, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    history = TrefoilClassifier(hidden=(4,), epochs=2).fit(*points).history_
    assert isinstance(history, dict) and history["epoch"] == [1, 2] and len(history["bytes"]) == 2


def test_labels_of_any_kind(points):
    X, y = points
    for labels in (np.array(["low", "middle", "high"])[y], y * 10 - 5, y == 1, np.array([1.5, 2.0, -3.0])[y] * 2):
        labels = np.asarray(labels)
        if labels.dtype.kind == "f":
            labels = labels.round()
        model = TrefoilClassifier(hidden=(8,), epochs=20, batch_size=32, random_state=0).fit(X, labels)
        assert model.score(X, labels) > 0.9 and set(model.predict(X)) <= set(np.unique(labels))
        assert model.predict_proba(X).shape == (90, len(np.unique(labels)))


def test_data_frames(points):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = points
    columns = {"left": X[:, 0], "label": X[:, 1]}
    model = TrefoilClassifier(hidden=(8,), epochs=5, random_state=0).fit(pandas.DataFrame(columns), pandas.Series(y))
    assert list(model.feature_names_in_) == ["left", "label"]
    expected = model.predict_proba(pandas.DataFrame(columns))
    assert np.array_equal(model.predict_proba(polars.DataFrame(columns)), expected)
    other = TrefoilClassifier(hidden=(8,), epochs=5, random_state=0).fit(polars.DataFrame(columns), polars.Series(y))
    assert list(other.feature_names_in_) == ["left", "label"]
    assert np.allclose(other.predict_proba(polars.DataFrame(columns)), expected, atol=0.01)


def test_records_stay_in_their_units(points):
    """What is standardised inside follows the records: units do not matter, and the model takes records as they are."""
    X, y = points
    settings = {"hidden": (8,), "epochs": 10, "batch_size": 32, "engine": "float", "random_state": 0}
    one = TrefoilClassifier(**settings).fit(X, y)
    other = TrefoilClassifier(**settings).fit(X * 1000 + 12345, y)
    assert np.allclose(one.predict_proba(X), other.predict_proba(X * 1000 + 12345), atol=0.02)
    assert np.array_equal(one.model_.answers(X), one.predict_proba(X))


def test_regression():
    X, y = make_regression(n_samples=200, n_features=5, noise=5.0, random_state=0)
    model = TrefoilRegressor(hidden=(16,), epochs=60, batch_size=32, random_state=0).fit(X, 1000 * y + 5)
    assert model.score(X, 1000 * y + 5) > 0.9
    assert TrefoilRegressor(random_state=0).fit(X, y).score(X, y) > 0.5


def test_scikit_learns_tools(points):
    X, y = points
    small = TrefoilClassifier(hidden=(8,), epochs=10, batch_size=30, random_state=0)
    assert make_pipeline(StandardScaler(), clone(small)).fit(X, y).score(X, y) > 0.9
    assert cross_val_score(small, X, y, cv=3).mean() > 0.9
    search = GridSearchCV(small, {"hidden": [(4,), ()], "learning_rate": np.array([0.05, 0.1])}, cv=2).fit(X, y)
    assert search.best_score_ > 0.9
    parallel = cross_val_score(small, X, y, cv=2, n_jobs=2)
    assert parallel.mean() > 0.9


def test_the_same_state_gives_the_same_model_but_for_rounding(points):
    X, y = points
    settings = {"hidden": (8,), "epochs": 5, "batch_size": 30}
    one, same, other = (TrefoilClassifier(random_state=s, **settings).fit(X, y).predict_proba(X) for s in (1, 1, 2))
    assert np.allclose(one, same, atol=0.005) and not np.allclose(one, other, atol=0.005)
    exact = [TrefoilClassifier(random_state=1, engine="float", **settings).fit(X, y).predict_proba(X) for _ in range(2)]
    assert np.array_equal(*exact)


@pytest.mark.parametrize(
    "setting",
    [
        {"weight_decay": 0.5},
        {"momentum": 0.0},
        {"schedule": "step:1:0.1"},
        {"optimiser": "nesterov"},
        {"batch_size": 45},
        {"learning_rate": 0.01},
        {"hidden": (5,)},
    ],
)
def test_each_setting_arrives(points, setting):
    settings = {"hidden": (4,), "epochs": 4, "batch_size": 30, "engine": "float", "random_state": 0}
    usual, other = (TrefoilClassifier(**{**settings, **more}).fit(*points).predict_proba(points[0]) for more in ({}, setting))
    assert np.abs(usual - other).max() > 1e-4


def test_what_is_held_out_is_not_trained_on(points):
    """Half of the records take half of the steps, and a suite has rounds of its own."""
    settings = {"hidden": (4,), "epochs": 2, "batch_size": 15, "random_state": 0}
    rounds = lambda **more: TrefoilClassifier(**settings, **more).fit(*points).history_["rounds"][1]  # noqa: E731
    assert rounds(validation_fraction=0.5) < 0.7 * rounds() and rounds(suite="securenn") != rounds()


def test_layers_stand_in_their_order_and_adam_has_no_momentum(points):
    settings = {"epochs": 2, "engine": "float", "random_state": 0}
    assert TrefoilClassifier(hidden=(8, 4), **settings).fit(*points).model_.network == "2-8-4-3"
    adam = {"hidden": (4,), "optimiser": "adam", "learning_rate": 0.001, **settings}
    one, other = (TrefoilClassifier(momentum=m, **adam).fit(*points).predict_proba(points[0]) for m in (0.9, 0.5))
    assert np.array_equal(one, other)


def test_figures_are_those_of_records_held_out():
    """Labels without a rule can be learnt by heart, and not foretold."""
    random = np.random.RandomState(0)
    X, y = random.normal(size=(120, 20)), random.randint(2, size=120)
    settings = {"hidden": (64,), "epochs": 60, "batch_size": 20, "engine": "float", "random_state": 0}
    model = TrefoilClassifier(validation_fraction=0.5, **settings).fit(X, y)
    assert model.score(X, y) > 0.7 and list(model.history_["validation_accuracy"])[-1] < 0.7
    assert list(TrefoilClassifier(**settings).fit(X, y).history_["accuracy"])[-1] > 0.9


def test_held_out_by_state_and_class(points, monkeypatch):
    split, seen = trefoil.estimators.train_test_split, []

    def watched(*arrays, **settings):
        parts = split(*arrays, **settings)
        seen.append((parts[1].tobytes(), np.bincount(parts[3].astype(int)).tolist()))
        return parts

    monkeypatch.setattr(trefoil.estimators, "train_test_split", watched)
    for state in (1, 1, 2):
        TrefoilClassifier(hidden=(), epochs=1, engine="float", validation_fraction=0.2, random_state=state).fit(*points)
    assert [counts for _, counts in seen] == [[6, 6, 6]] * 3
    assert seen[0] == seen[1] != seen[2]


def test_patience_ends_what_gets_no_better(points):
    settings = {"hidden": (), "epochs": 30, "engine": "float", "learning_rate": 5e-5, "validation_fraction": 0.2, "random_state": 0}
    assert len(TrefoilClassifier(patience=2, **settings).fit(*points).history_["epoch"]) == 3
    assert len(TrefoilClassifier(**settings).fit(*points).history_["epoch"]) == 30


def test_pickled(points):
    X, y = points
    model = TrefoilClassifier(hidden=(4,), epochs=2).fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


def test_progress(points, capsys, monkeypatch):
    TrefoilClassifier(hidden=(4,), epochs=2, verbose=True).fit(*points)
    if trefoil._history.tqdm:
        assert "training" in capsys.readouterr().err
    monkeypatch.setattr(trefoil._history, "tqdm", None)
    TrefoilClassifier(hidden=(4,), epochs=2, verbose=True).fit(*points)
    assert capsys.readouterr().out.startswith("epoch 1/2: loss ")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"suite": "plain"}, "suite: found plain, expected masked, securenn or verified"),
        ({"engine": "clear"}, "engine: found 'clear', expected shares or float"),
        ({"epochs": 0}, "epochs: found 0"),
        ({"learning_rate": -1.0}, "learning rate: found -1"),
        ({"learning_rate": float("nan")}, "settings: found"),
        ({"optimiser": "newton"}, "newton"),
        ({"schedule": "sometimes"}, "sometimes"),
        ({"keep": "first"}, "first"),
    ],
)
def test_settings_that_cannot_be(points, settings, why):
    with pytest.raises(trefoil.ConfigError, match=why):
        TrefoilClassifier(hidden=(4,)).set_params(**settings).fit(*points)


def test_records_that_cannot_be(points):
    X, y = points
    with pytest.raises(NotFittedError):
        TrefoilClassifier().predict(X)
    with pytest.raises(ValueError, match="NaN"):
        TrefoilClassifier().fit(np.where(X > 6, np.nan, X), y)
    with pytest.raises(ValueError, match="infinity"):
        TrefoilRegressor().fit(X, np.where(y == 1, np.inf, y))
    with pytest.raises(trefoil.DataError, match="more than 64"):
        TrefoilClassifier().fit(np.zeros((65, 1)), np.arange(65))


def test_a_training_that_diverges_says_so(points):
    with pytest.raises(trefoil.TrainingError, match="smaller learning rate"):
        TrefoilRegressor(learning_rate=8.0).fit(points[0], points[0][:, 0])


def test_plot(points):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    model = TrefoilClassifier(hidden=(4,), epochs=3, validation_fraction=0.2, random_state=0).fit(*points)
    loss, accuracy = model.plot()
    assert (loss.get_ylabel(), accuracy.get_ylabel()) == ("loss", "validation accuracy")
    assert list(loss.lines[0].get_ydata()) == list(model.history_["loss"])
    assert list(accuracy.lines[0].get_xdata()) == [1, 2, 3]
    assert model.plot([loss, accuracy])[0] is loss and len(loss.lines) == 2
