"""The three parties as processes."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sklearn.datasets import load_digits

import trefoil
from trefoil import TrefoilClassifier, TrefoilRegressor

X = np.random.RandomState(0).normal(size=(256, 8))
Y = (X.sum(axis=1) > 0).astype(int)
LINUX = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc")


def parties(parent):
    """The processes of the parties that one has started, once all three are there."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                status = open(f"/proc/{process}/stat").read().rpartition(")")[2].split()
                words = open(f"/proc/{process}/cmdline", "rb").read().split(b"\0")
            except OSError:
                continue
            if int(status[1]) == parent and b"trefoil.party" in words and status[0] != "Z":
                found.append(int(process))
        if len(found) == 3:
            return found
        time.sleep(0.01)
    raise AssertionError("no three parties")


def gone(processes):
    until = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{process}") for process in processes) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(os.path.exists(f"/proc/{process}") for process in processes)


def test_digits_as_on_threads():
    digits = load_digits(return_X_y=True)
    threads = TrefoilClassifier(random_state=1, hidden=(64,), epochs=2).fit(*digits)
    processes = TrefoilClassifier(random_state=1, hidden=(64,), epochs=2, parties="processes").fit(*digits)
    assert abs(processes.score(*digits) - threads.score(*digits)) < 0.005
    assert np.abs(processes.predict_proba(digits[0]) - threads.predict_proba(digits[0])).max() < 0.05
    # The same messages, whatever carries them.
    for figure in ("epoch", "bytes", "rounds"):
        assert list(processes.history_[figure]) == list(threads.history_[figure])


def test_the_other_suite_and_held_out_records():
    settings = {"hidden": (4,), "epochs": 3, "suite": "securenn", "validation_fraction": 0.2, "patience": 1, "keep": "best", "random_state": 0}
    model = TrefoilRegressor(parties="processes", **settings).fit(X, X[:, 0])
    assert np.allclose(model.predict(X), TrefoilRegressor(**settings).fit(X, X[:, 0]).predict(X), atol=0.05)


def test_what_goes_wrong_in_a_party_is_told():
    with pytest.raises(trefoil.TrainingError, match="P[012]: .*smaller learning rate"):
        TrefoilRegressor(learning_rate=8.0, parties="processes").fit(X, X[:, 0])
    with pytest.raises(trefoil.ConfigError, match="parties: found 'two', expected threads or processes"):
        TrefoilClassifier(parties="two").fit(X, Y)


def test_processes_that_do_not_start(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))
    with pytest.raises(trefoil.FileError, match="nothing"):
        TrefoilClassifier(parties="processes").fit(X, Y)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\necho the disk is full >&2\nexit 3\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    with pytest.raises(trefoil.ProtocolError, match="P[012]: its process has ended, exit status: 3: the disk is full"):
        TrefoilClassifier(parties="processes").fit(X, Y)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
def test_a_folder_of_the_packages_name_is_not_it(monkeypatch, tmp_path):
    (tmp_path / "trefoil").mkdir()
    (tmp_path / "trefoil" / "__init__.py").write_text("raise SystemExit('another one')")
    monkeypatch.chdir(tmp_path)
    assert TrefoilClassifier(hidden=(4,), epochs=1, parties="processes").fit(X, Y).history_["bytes"][0] > 0


def test_a_party_that_nobody_has_started():
    said = subprocess.run([sys.executable, "-m", "trefoil.party"], input="{}\n", capture_output=True, text=True)
    assert said.returncode == 1 and "standard input: found something else" in said.stderr and not said.stdout


@LINUX
@pytest.mark.parametrize("killed", [0, 2])
def test_a_party_that_is_killed(killed):
    """An error and no hang, and the others end, too."""
    found = []

    def kill():
        found.extend(parties(os.getpid()))
        time.sleep(0.5)
        os.kill(found[killed], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    started = time.monotonic()
    with pytest.raises(trefoil.ProtocolError, match="P[012]: its process has ended, signal: 9"):
        TrefoilClassifier(hidden=(64,), epochs=100_000, batch_size=64, parties="processes").fit(X, Y)
    thread.join()
    assert time.monotonic() - started < 20 and gone(found)


ENDLESS = """
import numpy as np, trefoil
X = np.random.RandomState(0).normal(size=(256, 8))
model = trefoil.TrefoilClassifier(hidden=(64,), epochs=100_000, batch_size=64, verbose=True, parties="processes")
trefoil._history.tqdm = None
try:
    model.fit(X, X[:, 0] > 0)
except KeyboardInterrupt:
    print("interrupted", hasattr(model, "model_"), flush=True)
"""


@LINUX
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_they_end_with_who_has_started_them(how, tmp_path):
    """By Ctrl-C with a word, and by whatever else ends it. While they train nothing secret can be seen: no key in arguments, environment or files."""
    command = [sys.executable, "-u", "-c", ENDLESS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)})
    try:
        assert process.stdout.readline().startswith("epoch 1/")
        found = parties(process.pid)
        for party in found:
            words = open(f"/proc/{party}/cmdline", "rb").read().split(b"\0")
            assert words[1:] == [b"-m", b"trefoil.party", b""]
            assert b"PRIVATE KEY" not in open(f"/proc/{party}/environ", "rb").read()
            opened = [os.readlink(f"/proc/{party}/fd/{fd}") for fd in os.listdir(f"/proc/{party}/fd")]
            assert all(name.startswith(("socket:", "pipe:", "anon_inode:", "/dev/")) for name in opened), opened
        assert not list(tmp_path.iterdir())
        process.send_signal(how)
        if how == signal.SIGINT:
            assert process.stdout.read().splitlines()[-1] == "interrupted False" and process.wait(timeout=30) == 0
        assert gone(found)
    finally:
        process.kill()
