"""Estimators with scikit-learn's interface, which train on secret shares."""

import json
import sys
from operator import index

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._core import Run, matrix
from ._frames import is_lent
from ._history import follow, frame, plot
from .errors import ConfigError

# The largest weight of a class, and how many times smaller another one may be.
_MOST_WEIGHT = 256.0
_MOST_RATIO = 2000.0

_PARAMETERS = """

    Parameters
    ----------
    hidden : tuple of int, default=(256,)
        Sizes of the hidden layers, which have ReLU. `()` is a linear model.
    epochs : int, default={epochs}
        Times that the records are gone through.
    batch_size : int, default=128
        Records in a step; all of them where there are fewer. What is left over at the end of an epoch waits for the next order.
    learning_rate : float, default={learning_rate}
        What each step goes along the gradient.
    momentum : float, default=0.9
        How much of a step stays in the next one, of "sgd" and "nesterov".
    suite : {{"masked", "securenn", "verified"}}, default="masked"
        The protocols of the three parties.
    engine : {{"shares", "float"}}, default="shares"
        Where the training runs: on secret shares; or in floating point, in the clear, from the same weights and batches.
    parties : {{"threads", "processes"}}, default="threads"
        Where the three parties are, on shares: on threads of this process, with queues in memory between them; or processes on this machine
        that `fit` starts and ends, with TLS between them, under keys that are made for it and never leave memory.
    optimiser : {{"sgd", "nesterov", "adam", "amsgrad"}}, default="sgd"
        The last two want a learning rate of about 0.001.
    schedule : str, default="constant"
        How the learning rate goes: "constant", "cosine", "step:10:0.5" (times 0.5 after every 10 epochs), or rates with the epoch from which
        on they hold, such as "0.1,0.05@5".
    weight_decay : float, default=0.0
        Each step takes so many times the learning rate off every parameter.
{weights}    metrics : tuple of str, default=()
        Figures that are computed beside `{metric}`, each on shares, and shown: {metrics}.
    validation_fraction : float, default=0.0
        The share of the records that are held out, on which each epoch is measured. With 0 it is measured on up to 1,000 training records.
    patience : int, default=None
        Ends the training after so many epochs in a row that were no better; None never does.
    keep : {{"last", "best"}}, default="last"
        Which epoch's model is kept.
    random_state : int, RandomState instance or None, default=None
        Initial weights, order of the records and which are held out. The parties' masks come from the operating system all the same: two
        trainings from one state differ by rounding.
    verbose : bool, default=False
        Shows the progress, by tqdm where it is installed.

    Attributes
    ----------{classes}
    model_ : trefoil.Model
        The trained network in the clear, for raw records.
    history_ : pandas.DataFrame, or where there is no pandas dict of lists
        A row for each epoch: `epoch`, `loss`, `{metric}` (`validation_{metric}` of records held out), each of `metrics` likewise (of a figure of
        classes the mean over them), `seconds`, `bytes` (sent by all parties), `rounds` (the longest chain of messages).
    figures_ : list of dict
        All figures after the last epoch: `metric`, `value`, and where there are some `classes` (a value for each), `counts` (the confusion
        matrix, a row for each class) and `why` (one is undefined).
    n_features_in_ : int
        Features of a record.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where the records had some.
"""


class _Trefoil(BaseEstimator):
    """What classifier and regressor have in common: settings, training, and how records go into the model."""

    def __init__(
        self,
        hidden=(256,),
        *,
        epochs,
        batch_size,
        learning_rate,
        momentum,
        suite,
        engine,
        parties,
        optimiser,
        schedule,
        weight_decay,
        metrics,
        validation_fraction,
        patience,
        keep,
        random_state,
        verbose,
    ):
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.suite = suite
        self.engine = engine
        self.parties = parties
        self.optimiser = optimiser
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.metrics = metrics
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.keep = keep
        self.random_state = random_state
        self.verbose = verbose

    def _settings(self, records, random, class_weights):
        """The training as a job's file has it, in JSON, for so many records."""
        adapts = self.optimiser in ("adam", "amsgrad")
        return json.dumps(
            {
                "hidden": [index(size) for size in np.atleast_1d(np.asarray(self.hidden, dtype=int))],
                "epochs": index(self.epochs),
                "batch": min(index(self.batch_size), records),
                "lr": float(self.learning_rate),
                "lr_schedule": self.schedule,
                "weight_decay": float(self.weight_decay),
                "class_weights": class_weights,
                "optimiser": self.optimiser,
                "momentum": 0.9 if adapts else float(self.momentum),
                "patience": None if self.patience is None else index(self.patience),
                "keep": self.keep,
                "seed": int(random.randint(np.iinfo(np.int32).max)),
            }
        )

    def _validated(self, X, y, **more):
        """Features and labels to train on, as arrays; the features' names are kept."""
        X, names = _records(X)
        X, y = validate_data(self, X, y, dtype=np.float64, **more)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        return X, y

    def _train(self, X, y, classes, metric, class_weights=()):
        """Trains on features (records, features) and labels (records,): places of classes, or a regression's values."""
        if self.engine not in ("shares", "float"):
            raise ConfigError(f"engine: found {self.engine!r}, expected shares or float")
        if self.parties not in ("threads", "processes"):
            raise ConfigError(f"parties: found {self.parties!r}, expected threads or processes")
        random = check_random_state(self.random_state)
        held_out = None
        if self.validation_fraction:
            stratify = y if classes else None
            seed = random.randint(np.iinfo(np.int32).max)
            parts = train_test_split(X, y, test_size=self.validation_fraction, random_state=seed, stratify=stratify)
            (X, held_x, y, held_y), metric = parts, f"validation_{metric}"
            held_out = (held_x, held_y)
        names = getattr(self, "feature_names_in_", None)
        names = [f"x{i}" for i in range(X.shape[1])] if names is None else [str(name) for name in names]
        suite = self.suite if self.engine == "shares" else None
        processes = sys.executable if self.parties == "processes" else None
        settings = self._settings(len(X), random, class_weights)
        run = Run((X, y), names, classes, settings, suite, held_out, processes, list(self.metrics))
        self.model_, rows, self.figures_ = follow(run, metric, index(self.epochs), self.verbose)
        self.history_ = frame(rows)
        return self

    def plot(self, axes=None):
        """Draws `history_`: the loss by epoch, and beside it the other figure. It needs matplotlib; `axes` are two of its axes, or None for new ones.

        Gives the axes.
        """
        check_is_fitted(self)
        return plot(self.history_, axes)

    def _answers(self, X):
        check_is_fitted(self)
        X, names = _records(X)
        fitted = getattr(self, "feature_names_in_", None)
        if names is None or fitted is None:
            return self.model_.answers(validate_data(self, X, dtype=np.float64, reset=False))
        missing = [str(name) for name in fitted if name not in names]
        if missing:
            raise ValueError(f"records: found no column {', '.join(missing[:5])}, expected the {len(fitted)} that were trained on")
        return self.model_.answers(X[:, [names.index(name) for name in fitted]])


def _records(X):
    """Records as scikit-learn takes them, and their columns' names, where it would not find these itself."""
    if not is_lent(X):
        return X, None
    names, values = matrix(X)
    return values, names


class TrefoilClassifier(ClassifierMixin, _Trefoil):
    __doc__ = """A classifier that is trained on secret shares, by three parties on this machine.""" + _PARAMETERS.format(
        epochs=5,
        learning_rate=0.1,
        metric="accuracy",
        metrics='"confusion", "precision", "recall", "f1", "auc" (of two classes), "log-loss"',
        weights="""    class_weight : dict, "balanced" or None, default=None
        How much each class counts in the loss: by its label, 1 where nothing is said; or "balanced", so that all classes have as much weight
        together, by counts of the training labels that are computed on shares and opened to nobody. The smallest of given weights counts as a 2,000th of
        the largest at least.
""",
        classes="""
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.""",
    )

    def __init__(
        self,
        hidden=(256,),
        *,
        epochs=5,
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        suite="masked",
        engine="shares",
        parties="threads",
        optimiser="sgd",
        schedule="constant",
        weight_decay=0.0,
        class_weight=None,
        metrics=(),
        validation_fraction=0.0,
        patience=None,
        keep="last",
        random_state=None,
        verbose=False,
    ):
        super().__init__(
            hidden=hidden,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            momentum=momentum,
            suite=suite,
            engine=engine,
            parties=parties,
            optimiser=optimiser,
            schedule=schedule,
            weight_decay=weight_decay,
            metrics=metrics,
            validation_fraction=validation_fraction,
            patience=patience,
            keep=keep,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X, y):
        """Trains on `X`, numbers of shape (records, features) in their own units, and `y`, labels of any kind of shape (records,).

        Features are standardised by their means and deviations over these records; `predict` does the same to others.
        """
        X, y = self._validated(X, y)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ConfigError(f"labels: found one class in {len(y)} records, expected 2 classes or more")
        names = [str(name) for name in self.classes_]
        return self._train(X, places.astype(np.float64), names, "accuracy", self._class_weights(y, places))

    def _class_weights(self, y, places):
        """As a job has them. Balanced ones follow from counts that are computed on shares; given ones have the mean 1 over the records, as other
        losses divide by their sum, and are brought into what can be represented."""
        if self.class_weight is None:
            return []
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            return "balanced"
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        if not (np.isfinite(weights).all() and (weights >= 0).all() and weights[places].mean() > 0):
            raise ConfigError(f"class_weight: found {self.class_weight!r}, expected numbers from 0 on, not all of them 0")
        weights = np.minimum(weights / weights[places].mean(), _MOST_WEIGHT)
        return np.maximum(weights, weights.max() / _MOST_RATIO).tolist()

    def predict_proba(self, X):
        """The probability of each class, of shape (records, classes), in the order of `classes_`."""
        return self._answers(X)

    def predict(self, X):
        """The likeliest class of each record, of shape (records,)."""
        answers = self._answers(X)
        return self.classes_[answers.argmax(axis=1)]


class TrefoilRegressor(RegressorMixin, _Trefoil):
    __doc__ = """A regressor that is trained on secret shares, by three parties on this machine.

    The loss is the squared error, in squares of the targets' deviation.""" + _PARAMETERS.format(
        epochs=20,
        learning_rate=0.02,
        metric="squared_error",
        metrics='"rmse", "absolute-error", "r2"',
        weights="",
        classes="",
    )

    def __init__(
        self,
        hidden=(256,),
        *,
        epochs=20,
        batch_size=128,
        learning_rate=0.02,
        momentum=0.9,
        suite="masked",
        engine="shares",
        parties="threads",
        optimiser="sgd",
        schedule="constant",
        weight_decay=0.0,
        metrics=(),
        validation_fraction=0.0,
        patience=None,
        keep="last",
        random_state=None,
        verbose=False,
    ):
        super().__init__(
            hidden=hidden,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            momentum=momentum,
            suite=suite,
            engine=engine,
            parties=parties,
            optimiser=optimiser,
            schedule=schedule,
            weight_decay=weight_decay,
            metrics=metrics,
            validation_fraction=validation_fraction,
            patience=patience,
            keep=keep,
            random_state=random_state,
            verbose=verbose,
        )

    def fit(self, X, y):
        """Trains on `X`, numbers of shape (records, features), and `y`, numbers of shape (records,), both in their own units.

        Features and targets are standardised by their means and deviations over these records; `predict` undoes the latter.
        """
        X, y = self._validated(X, y, y_numeric=True)
        return self._train(X, y.astype(np.float64), [], "squared_error")

    def predict(self, X):
        """The value of each record, in the target's own unit, of shape (records,)."""
        return self._answers(X)[:, 0]
