"""Models of scikit-learn, and one put together by hand with onnx.helper, on MNIST: ONNX Runtime, `trefoil predict` in the clear, and on shares.

    onnx_mnist.py TREFOIL MNIST-FOLDER SCRATCH [RECORDS]

Prints how many of the test images are put into the same class, and fails where these are fewer than 99.8%.
"""

import csv
import gzip
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

LEAST = 0.998
BATCH = 500


def idx(path):
    data = gzip.open(path).read()
    sides = np.frombuffer(data[4 : 4 + 4 * data[3]], ">u4").astype(int)
    return np.frombuffer(data[4 + 4 * data[3] :], np.uint8).reshape(sides)


def session(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def perceptron(x, y):
    """784-64-10 on pixels that a scaler brings to 0 to 1."""
    model = make_pipeline(MinMaxScaler(), MLPClassifier((64,), batch_size=128, max_iter=6, random_state=1))
    return to_onnx(model.fit(x, y), x[:1].astype(np.float32), options={"zipmap": False}).SerializeToString()


def regression(x, y):
    """Logistic regression on standardised pixels: some become hundreds."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=40))
    return to_onnx(model.fit(x, y), x[:1].astype(np.float32)).SerializeToString()


def convolution(x, y):
    """Random filters, batch normalisation, pooling, and a regression on what they give, trained by scikit-learn: nodes by hand."""
    draw = np.random.default_rng(1)
    weights = {
        "scale": np.float32([1 / 256]),
        "filters": draw.normal(0, 0.25, (16, 1, 5, 5)).astype(np.float32),
        "norm.scale": np.ones(16, np.float32),
        "norm.bias": np.zeros(16, np.float32),
        "norm.mean": draw.normal(0, 0.2, 16).astype(np.float32),
        "norm.var": np.full(16, 0.5, np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["x", "scale"], ["grey"]),
        helper.make_node("Conv", ["grey", "filters"], ["conv"], strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["conv", "norm.scale", "norm.bias", "norm.mean", "norm.var"], ["norm"]),
        helper.make_node("MaxPool", ["norm"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Relu", ["pool"], ["relu"]),
        helper.make_node("Flatten", ["relu"], ["features"]),
    ]

    def model(nodes, weights, output):
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 28, 28])
        out = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", None])
        constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
        graph = helper.make_graph(nodes, "by hand", [x], [out], constants)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
        onnx.checker.check_model(made)
        return made.SerializeToString()

    features = session(model(nodes, weights, "features")).run(None, {"x": x.reshape(-1, 1, 28, 28).astype(np.float32)})[0]
    fitted = LogisticRegression(max_iter=60).fit(features, y)
    weights["last.weight"] = fitted.coef_.astype(np.float32)
    weights["last.bias"] = fitted.intercept_.astype(np.float32)
    nodes.append(helper.make_node("Gemm", ["features", "last.weight", "last.bias"], ["logits"], transB=1))
    nodes.append(helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    return model(nodes, weights, "probabilities")


def classes(trefoil, model, images, *options):
    """What `trefoil predict` says, and what it says of itself."""
    started = time.time()
    done = subprocess.run([trefoil, "predict", model, images, *options], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, done.args))}: {done.stderr}")
    rows = list(csv.reader(done.stdout.splitlines()))[1:]
    return np.array([int(row[0]) for row in rows]), done.stderr, time.time() - started


def main(trefoil, mnist, scratch, records=10_000):
    mnist, scratch = Path(mnist), Path(scratch)
    train, labels = idx(mnist / "train-images-idx3-ubyte.gz"), idx(mnist / "train-labels-idx1-ubyte.gz")
    test = idx(mnist / "t10k-images-idx3-ubyte.gz")[: int(records)]
    truth = idx(mnist / "t10k-labels-idx1-ubyte.gz")[: int(records)]
    images = scratch / "images.npy"
    np.save(images, test.reshape(len(test), -1))
    x, y = train.reshape(len(train), -1).astype(np.float64), labels
    failed = False
    for make, used in [(perceptron, 20_000), (regression, 6_000), (convolution, 6_000)]:
        started = time.time()
        file = scratch / f"{make.__name__}.onnx"
        file.write_bytes(make(x[:used], y[:used]))
        runtime = session(str(file))
        given, outputs = runtime.get_inputs()[0], [output.name for output in runtime.get_outputs()]
        shape = (-1, 1, 28, 28) if len(given.shape) == 4 else (-1, 784)
        answers = dict(zip(outputs, runtime.run(None, {given.name: test.reshape(shape).astype(np.float32)})))
        label = next((answers[name] for name in outputs if "label" in name), None)
        want = np.argmax(next(iter(answers.values())), axis=1) if label is None else np.asarray(label).astype(int)
        print(f"{make.__name__}: ONNX Runtime is right on {np.mean(want == truth):.2%} of {len(test)} images; made in {time.time() - started:.0f} s")
        for how, options in [("in the clear", []), ("on shares", ["--on-shares", "--batch", str(BATCH)])]:
            found, said, seconds = classes(trefoil, file, images, *options)
            same = np.mean(found == want) if len(found) == len(want) else 0
            failed |= same < LEAST
            print(f"{make.__name__}: {how} the class of ONNX Runtime on {same:.2%}, in {seconds:.0f} s")
            print("".join(f"    {line}\n" for line in said.splitlines()), end="")
    if failed:
        sys.exit(f"expected at least {LEAST:.1%}")


main(*sys.argv[1:])
