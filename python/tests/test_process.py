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
