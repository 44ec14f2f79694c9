"""From Keras, whose models' descriptions and weights are imitated here; where there is Keras itself, it is asked too."""

import numpy as np
import pytest

import trefoil
from trefoil import from_keras

random = np.random.RandomState(13)


class Layer:
    def __init__(self, kind, name, weights=(), inbound=None, **config):
        self.kind, self.name, self.weights, self.inbound = kind, name, [np.asarray(w, dtype=np.float32) for w in weights], inbound
        self.config = {"name": name, **config}

    def get_weights(self):
        return self.weights


class Model:
    """Describes itself as Keras does."""

    def __init__(self, *layers):
        self.layers = layers

    def get_config(self):
        described = [{"class_name": layer.kind, "config": layer.config} for layer in self.layers]
        for layer, one in zip(self.layers, described):
            if layer.inbound is not None:
                one |= {"name": layer.name, "inbound_nodes": layer.inbound}
        return {"name": "model", "layers": described}


def tensor(name):
    """An output, as version 3 writes it."""
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 4], "dtype": "float32", "keras_history": [name, 0, 0]}}


def normal(*shape):
    return random.normal(size=shape) / 2


def softmax(z):
    return np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)


def first(x):
    """Images channels first, a row each."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def convolved(x, kernel, bias):
    """Padded as "same" is."""
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    return np.einsum("nijchw,hwcf->nijf", windows, kernel) + bias


def test_images_channels_last():
    """The values of a flattened image stand in another order in Keras."""
    kernel, bias, gamma, beta, mean, variance = normal(3, 3, 2, 3), normal(3), normal(24), normal(24), normal(24), normal(24) ** 2
    dense, last = normal(24, 3), normal(3)
    model = Model(
        Layer("InputLayer", "input_1", batch_shape=[None, 8, 4, 2]),
        Layer("Conv2D", "conv", [kernel, bias], filters=3, kernel_size=[3, 3], strides=[1, 1], padding="same", activation="relu"),
        Layer("MaxPooling2D", "pool", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        Layer("Flatten", "flat"),
        Layer("BatchNormalization", "bn", [gamma, beta, mean, variance], axis=[1], momentum=0.99, epsilon=1e-3),
        Layer("Dropout", "drop", rate=0.5),
        Layer("Dense", "dense", [dense, last], units=3, activation="softmax"),
    )
    x = random.normal(size=(20, 8, 4, 2))
    y = np.maximum(convolved(x, kernel, bias), 0).reshape(20, 4, 2, 2, 2, 3).max(axis=(2, 4)).reshape(20, 24)
    y = (y - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    taken = from_keras(model, classes=["a", "b", "c"])
    assert np.allclose(taken.answers(first(x)), softmax(y @ dense + last), atol=1e-5) and taken.classes == ["a", "b", "c"]
    # Keras says how much stays, all others how much is new.
    assert [node["op"]["batchnorm"]["momentum"] for node in taken.graph["nodes"] if node["name"] == "bn"] == [0.01]


@pytest.mark.parametrize("version", [2, 3])
def test_functional(version):
    inbound = (lambda *names: [[[name, 0, 0, {}] for name in names]]) if version == 2 else (
        lambda *names: [{"args": [list(map(tensor, names)) if len(names) > 1 else tensor(*names)], "kwargs": {}}]
    )
    a, b, c = normal(4, 4), normal(4), normal(4, 1)
    model = Model(
        Layer("InputLayer", "in", inbound=[], **{"batch_input_shape" if version == 2 else "batch_shape": [None, 4]}),
        Layer("Dense", "hidden", [a, b], inbound("in"), units=4, activation="tanh"),
        Layer("Add", "sum", (), inbound("hidden", "in")),
        Layer("LeakyReLU", "leaky", (), inbound("sum"), negative_slope=0.25),
        Layer("Dense", "out", [c], inbound("leaky"), units=1, use_bias=False, activation="sigmoid"),
    )
    x = random.normal(size=(20, 4))
    y = np.tanh(x @ a + b) + x
    p = 1 / (1 + np.exp(-np.where(y > 0, y, y / 4) @ c))
    taken = from_keras(model)
    assert np.allclose(taken.answers(x), np.hstack([1 - p, p]), atol=1e-5) and taken.classes == ["0", "1"]


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([Layer("LSTM", "lstm", units=3)], "lstm: found LSTM, expected a layer of docs/layers.md"),
        ([Layer("Dense", "d", [normal(4, 2)], units=2, activation="gelu")], r"d \(Dense\): activation: found gelu"),
        ([Layer("Dense", "d", [normal(4, 2)], units=2, inbound=[[["in", 0, 0, {}]], [["in", 0, 0, {}]]])], "d: found it used several times"),
        ([Layer("ReLU", "r", max_value=6.0)], "max_value: found 6.0, expected None"),
        ([Layer("BatchNormalization", "b", [normal(4)] * 4, axis=2, momentum=0.9, epsilon=1e-3)], "axis: found 2, expected -1"),
    ],
)
def test_what_is_no_network_here(layers, why):
    with pytest.raises(trefoil.ConfigError, match=why):
        from_keras(Model(Layer("InputLayer", "in", batch_shape=[None, 4]), *layers))


def test_images_that_are_no_network_here():
    start = Layer("InputLayer", "in", batch_shape=[None, 6, 6, 1])
    conv = {"filters": 1, "kernel_size": [3, 3]}
    for layer, why in [
        (Layer("Conv2D", "c", [normal(3, 3, 1, 1)], padding="same", strides=[2, 2], **conv), "more on one side"),
        (Layer("Conv2D", "c", [normal(3, 3, 1, 1)], data_format="channels_first", **conv), "data_format: found channels_first"),
        (Layer("Conv2D", "c", [normal(3, 3, 1, 1)], dilation_rate=[2, 2], **conv), "dilation_rate: found"),
        (Layer("Dense", "d", [normal(1, 2)], units=2), "Flatten before it"),
    ]:
        with pytest.raises(trefoil.ConfigError, match=why):
            from_keras(Model(start, layer))
    with pytest.raises(trefoil.ConfigError, match="no shape of a record"):
        from_keras(Model(Layer("Conv2D", "c", [normal(3, 3, 1, 1)], **conv)))


def test_with_keras_itself():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    x = random.normal(size=(10, 8, 8, 2)).astype("float32")
    start = keras.Input((8, 8, 2))
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(start)
    z = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(y))
    z = layers.MaxPooling2D()(layers.Activation("relu")(layers.Add()([y, z])))
    functional = keras.Model(start, layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(layers.Flatten()(z))))
    pooled = keras.Model(start, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(layers.LeakyReLU(0.25)(z))))
    for model in (functional, pooled, keras.Sequential([start, layers.Conv2D(3, 2, strides=2), layers.Flatten(), layers.Dense(3), layers.Softmax()])):
        expected = np.asarray(model.predict(x, verbose=0))
        expected = np.hstack([1 - expected, expected]) if expected.shape[1] == 1 else expected
        assert np.allclose(from_keras(model).answers(first(x)), expected, atol=1e-5)
