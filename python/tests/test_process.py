"""What a training does to the process that it runs in."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import trefoil
from trefoil import TrefoilClassifier

X = np.random.RandomState(0).normal(size=(256, 8))
Y = (X.sum(axis=1) > 0).astype(int)


FITS = """
import os, numpy as np
from trefoil import TrefoilClassifier

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

X = np.random.RandomState(0).normal(size=(256, 8))
for fit in range(50):
    TrefoilClassifier(hidden=(32,), epochs=1, batch_size=64).fit(X, X[:, 0] > 0)
    if fit in (9, 49):
        print(resident())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
def test_memory_does_not_grow():
    told = subprocess.run([sys.executable, "-c", FITS], stdout=subprocess.PIPE, text=True, check=True).stdout
    after_10, after_50 = map(int, told.split())
    print(f"\nresident after 10 fits {after_10 >> 20} MiB, after 50 {after_50 >> 20} MiB")
    assert after_50 <= 1.05 * after_10


def test_others_run_while_it_trains():
    """The interpreter's lock is free: another thread counts on."""
    done, counts = threading.Event(), [0]

    def count():
        while not done.is_set():
            counts[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    started = time.monotonic()
    TrefoilClassifier(hidden=(64,), epochs=10, batch_size=64).fit(X, Y)
    seconds = time.monotonic() - started
    done.set()
    thread.join()
    # Half of what it would be alone, on a machine whose cores are all busy.
    assert counts[0] > 0.1 * seconds / 0.0011


def test_two_at_a_time():
    fitted = []
    fit = lambda: fitted.append(TrefoilClassifier(hidden=(16,), epochs=10, batch_size=64, random_state=0).fit(X, Y))  # noqa: E731
    threads = [threading.Thread(target=fit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fitted) == 2 and all(model.score(X, Y) > 0.9 for model in fitted)


ENDLESS = """
import threading, numpy as np, trefoil
X = np.random.RandomState(0).normal(size=(256, 8))
model = trefoil.TrefoilClassifier(hidden=(64,), epochs=100_000, batch_size=64, verbose=True)
trefoil._history.tqdm = None
try:
    model.fit(X, X[:, 0] > 0)
except KeyboardInterrupt:
    print("interrupted", hasattr(model, "model_"), flush=True)
"""


def test_ctrl_c_ends_it():
    process = subprocess.Popen([sys.executable, "-u", "-c", ENDLESS], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("epoch 1/")
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        last = process.stdout.read().splitlines()[-1]
        assert process.wait(timeout=30) == 0 and last == "interrupted False"
        assert time.monotonic() - started < 5
    finally:
        process.kill()


WAITING = """
import os, socket, subprocess, sys, numpy as np, trefoil
from trefoil import Job, Key, Service

# Parties that take connections and say nothing: whoever calls them waits.
silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
member = lambda name, **more: {"name": name, "fingerprint": keys[name].fingerprint, **more}
names = ["p0", "p1", "p2", "north", "research", "ward"]
keys = {name: Key(f"{name}.pem") for name in names}
parties = [member(name, address="127.0.0.1:%d" % one.getsockname()[1]) for name, one in zip(names, silent)]
job = Job.build(
    name="waiting", party=parties,
    owner=[member("north")], model_owner=member("research"), train={"hidden": [4]},
    data={"task": "regression", "label": "y", "target": {"mean": 0, "deviation": 1}, "columns": [{"kind": "number", "name": "x", "mean": 0, "deviation": 1}]},
    serve={"reveal": "value", "client": [member("ward")], "records": 10},
)
job.save("job.toml")
for party in parties:
    subprocess.run([sys.argv[1], "peers", "add", party["name"], party["address"], party["fingerprint"]], stdout=subprocess.DEVNULL, check=True)
subprocess.run([sys.argv[1], "peers", "add", "ward", "-", keys["ward"].fingerprint], stdout=subprocess.DEVNULL, check=True)
with open("service.toml", "w") as file:
    subprocess.run([sys.argv[1], "service", "template", "job.toml"], stdout=file, check=True)
service = Service("service.toml", keys["ward"], timeout=60)
records = {"x": np.zeros(10), "y": np.zeros(10)}
class Frame(dict):
    columns = list(records)
    __len__ = lambda self: 10
model = trefoil.TrefoilRegressor(hidden=(4000,), epochs=1, engine="float").fit(np.zeros((8, 4)), np.zeros(8)).model_
work = {
    "share": lambda: trefoil.share(Frame(records), job, keys["north"], timeout=60),
    "fetch": lambda: trefoil.fetch(job, keys["research"], timeout=60),
    "wait": lambda: job.wait(keys["research"], timeout=60),
    "status": lambda: job.status(keys["north"], timeout=60),
    "propose": lambda: job.propose(keys["north"], timeout=60),
    "predict": lambda: service.predict(np.zeros((10, 1))),
    "answers": lambda: [model.answers(np.zeros((100_000, 4))) for _ in range(100)],
}
for name, what in work.items():
    try:
        print(name, flush=True)
        what()
        print("done", flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_ctrl_c_ends_whatever_waits(tmp_path):
    """Within a moment, whatever a party does or does not."""
    from test_organisations import PROGRAM

    if not PROGRAM:
        pytest.skip("needs the program `trefoil`: its path in TREFOIL")
    env = {**os.environ, "TREFOIL_PASSPHRASE": "correct horse battery staple"}
    made = [PROGRAM, "keygen", "--quiet", "--dir", ".", "p0", "p1", "p2", "north", "research", "ward"]
    subprocess.run(made, cwd=tmp_path, env=env, check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([sys.executable, "-u", "-c", WAITING, PROGRAM], stdout=subprocess.PIPE, text=True, cwd=tmp_path, env=env)
    try:
        for name in ("share", "fetch", "wait", "status", "propose", "predict", "answers"):
            assert process.stdout.readline().strip() == name
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert process.stdout.readline().strip() == "interrupted", name
            assert time.monotonic() - started < 3, name
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_is_told_so():
    """Its copy of the threads that compute would never answer."""
    TrefoilClassifier(hidden=(4,), epochs=1).fit(X, Y)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert "forked" in pool.apply_async(refused).get(timeout=60)


def refused():
    try:
        TrefoilClassifier(hidden=(4,), epochs=1).fit(X, Y)
    except trefoil.ConfigError as error:
        return str(error)
    return "trained"


def test_errors_have_one_ancestor():
    kinds = [kind for kind in vars(trefoil).values() if isinstance(kind, type) and kind.__name__.endswith("Error")]
    assert len(kinds) == 9 and all(issubclass(kind, trefoil.Error) for kind in kinds)
