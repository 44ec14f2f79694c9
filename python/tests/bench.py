"""How much slower the package is than the command, measured in turn: `TREFOIL=target/release/trefoil python python/tests/bench.py`.

A training step in this process against `trefoil bench train-784x256x10`, which has three processes; and a frame of 1,000,000 x 30 numbers that is
shared with three local parties, against `trefoil share` of the same records as Parquet. Needs pandas, and pyarrow to write the Parquet file.
Prints a line for each turn, the medians and their ratios, and with `--json FILE` writes them.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas

import trefoil

PROGRAM = os.path.abspath(os.environ.get("TREFOIL", "target/release/trefoil"))
BATCH, STEPS = 128, 100


def command(*words, **more):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=True, **more).stdout


def step_here():
    """Seconds of a training step of 784-256-10, three parties on threads of this process: of epochs of 100 steps, their loss included."""
    random = np.random.RandomState(0)
    x, y = random.rand(BATCH * STEPS, 784), np.arange(BATCH * STEPS) % 10
    fitted = trefoil.TrefoilClassifier((256,), epochs=3, batch_size=BATCH, random_state=0).fit(x, y)
    return statistics.median(fitted.history_["seconds"]) / STEPS


def step_there(folder):
    command("bench", "train-784x256x10", "--json", folder / "bench.json")
    [found] = json.loads((folder / "bench.json").read_text())
    return found["steady_s"]


class Parties:
    """Three of them on this machine, and jobs with an owner each time and another who never comes."""

    def __init__(self, folder, columns):
        self.folder, self.columns, self.jobs = folder, columns, 0
        names = ["p0", "p1", "p2", "north", "south", "research"]
        self.environment = {**os.environ, "TREFOIL_PASSPHRASE": "of a benchmark"}
        os.environ["TREFOIL_PASSPHRASE"] = self.environment["TREFOIL_PASSPHRASE"]
        prints = self.command("keygen", "--quiet", "--dir", "keys", *names).split()
        for name, fingerprint in zip(names, prints):
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                address = f"127.0.0.1:{one.getsockname()[1]}" if name[0] == "p" else "-"
            self.command("peers", "add", name, address, fingerprint)
            if name[0] == "p":
                (folder / f"{name}.toml").write_text(f'listen = "{address}"\nkey = "keys/{name}.pem"\ndata = "data-{name}"\n')
        self.running = [
            subprocess.Popen([PROGRAM, "party", "--config", f"p{i}.toml"], cwd=folder, env=self.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            for i in range(3)
        ]

    def command(self, *words):
        return command(*words, cwd=self.folder, env=self.environment)

    def job(self):
        """A new one, which the three parties have approved."""
        self.jobs += 1
        columns = [{"kind": "number", "name": name, "mean": 0.0, "deviation": 1.0} for name in self.columns]
        data = {"task": "regression", "label": "y", "target": {"mean": 0.0, "deviation": 1.0}, "columns": columns}
        os.chdir(self.folder)
        job = trefoil.Job.build(
            f"bench {self.jobs}", party=["p0", "p1", "p2"], owner=["north", "south"], model_owner="research", data=data,
            train={"hidden": [8], "epochs": 1},
        )
        job.save("job.toml")
        job.propose("keys/p0.pem")
        for i in range(3):
            job.approve(f"keys/p{i}.pem")
        return job

    def end(self):
        for party in self.running:
            party.terminate()
        for party in self.running:
            party.wait()


def timed(work):
    started = time.monotonic()
    work()
    return time.monotonic() - started


def turns(name, here, there, times):
    seconds = [], []
    for turn in range(times):
        for found, measure in zip(seconds, (here, there)):
            found.append(measure())
        print(f"{name}, turn {turn + 1}: {seconds[0][-1]:.4g} s in Python, {seconds[1][-1]:.4g} s by the command", flush=True)
    a, b = map(statistics.median, seconds)
    print(f"{name}: medians {a:.4g} and {b:.4g} s, ratio {a / b:.2f}", flush=True)
    return {"python": seconds[0], "command": seconds[1], "ratio": a / b}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--json", type=Path)
    options = options.parse_args()
    found = {"machine": platform.platform(), "cores": os.cpu_count(), "program": command("--version").strip(), "rows": options.rows}
    print(json.dumps(found))
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        found["step"] = turns("training step", step_here, lambda: step_there(folder), options.turns)
        random = np.random.RandomState(1)
        frame = pandas.DataFrame(random.randn(options.rows, 31), columns=[f"c{i}" for i in range(30)] + ["y"])
        frame.to_parquet(folder / "records.parquet")
        parties = Parties(folder, list(frame.columns[:30]))
        try:
            share = lambda: (lambda job: timed(lambda: trefoil.share(frame, job, "keys/north.pem")))(parties.job())
            shared = lambda: parties.job() and timed(
                lambda: parties.command("share", "records.parquet", "--job", "job.toml", "--key", "keys/north.pem")
            )
            found["share"] = turns("sharing", share, shared, options.turns)
        finally:
            parties.end()
            os.chdir(here)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    sys.exit(main())
