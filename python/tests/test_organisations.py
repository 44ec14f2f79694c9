"""Three real parties, two data owners, a model owner and a client of a service: set up by commands, used from Python."""

import os
import shutil
import signal
import socket
import subprocess
import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trefoil
from trefoil import Job, Key, Service

pandas = pytest.importorskip("pandas")
PROGRAM = shutil.which(os.path.abspath(os.environ["TREFOIL"]) if "TREFOIL" in os.environ else "trefoil")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="needs the program `trefoil`: its path in TREFOIL")
PASSPHRASE = "correct horse battery staple"
RUNNING = []
NAMES = ["p0", "p1", "p2", "north", "south", "east", "west", "research", "ward", "stranger"]

JOB = """
name = "wards"
party = ["p0", "p1", "p2"]
owner = ["north", "south"]
model_owner = "research"
[serve]
reveal = "probabilities"
client = ["ward"]
records = 1000000
[train]
hidden = [8]
epochs = 5
batch = 32
[data]
task = "classification"
label = "outcome"
classes = ["ill", "well"]
[[data.columns]]
kind = "number"
name = "age"
mean = 50
deviation = 20
[[data.columns]]
kind = "category"
name = "town"
values = ["here", "there"]
"""


def frame(seed, rows):
    """Records, with columns in another order than the job's and one more."""
    random = np.random.RandomState(seed)
    age, town = random.uniform(0, 100, rows), np.array(["here", "there"])[random.randint(2, size=rows)]
    outcome = np.where(age + 40 * (town == "here") > 70, "ill", "well")
    return pandas.DataFrame({"outcome": outcome, "town": town, "patient": range(rows), "age": age})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Keys, peers, configurations, and three parties that listen and have approved the job."""
    folder = tmp_path_factory.mktemp("organisations")
    before = os.environ.get("TREFOIL_PASSPHRASE"), os.getcwd()
    os.environ["TREFOIL_PASSPHRASE"] = PASSPHRASE
    os.chdir(folder)
    prints = command("keygen", "--quiet", "--dir", "keys", *NAMES).split()
    for name, fingerprint in zip(NAMES, prints):
        address = f"127.0.0.1:{free_port()}" if name[0] == "p" else "-"
        if name != "stranger":
            command("peers", "add", name, address, fingerprint)
        if name[0] == "p":
            text = f'listen = "{address}"\nkey = "keys/{name}.pem"\ndata = "data-{name}"\ntimeout = 30\n'
            (folder / f"{name}.toml").write_text(text)
    (folder / "job.toml").write_text(JOB)
    parties = [
        subprocess.Popen([PROGRAM, "party", "--config", f"p{i}.toml"], stdout=subprocess.DEVNULL, stderr=open(f"log{i}", "w"))
        for i in range(3)
    ]
    RUNNING.extend(parties)
    yield folder
    for party in parties:
        party.send_signal(signal.SIGTERM)
    for party in parties:
        party.wait(timeout=30)
    os.chdir(before[1])
    os.environ.pop("TREFOIL_PASSPHRASE")
    if before[0] is not None:
        os.environ["TREFOIL_PASSPHRASE"] = before[0]


def command(*words):
    return subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_from_shares_to_answers(folder):
    job = Job.load("job.toml")
    assert job.name == "wards" and job.hash in command("job", "show", "job.toml")
    assert repr(job) == f'Job("wards", {job.hash[:12]})'
    keys = {name: Key(f"keys/{name}.pem") for name in NAMES}
    assert repr(keys["north"]) == f"Key({keys['north'].fingerprint[:12]})"

    job.propose(keys["p0"])
    for operator in ("p0", "p1", "p2"):
        job.approve(f"keys/{operator}.pem")
    status = job.status(keys["p1"])
    assert set(status) == {"p1"} and status["p1"]["state"] == {"is": "waiting"} and status["p1"]["approved"]

    # What is not in order is told by its cause, and nothing of a record.
    north, south = frame(1, 300), frame(2, 200)
    for wrong, more in (([3], "$"), ([3, 5], r" \(and 1 more\)$")):
        with pytest.raises(trefoil.DataError, match=f'record 4, column "town": found something else, .*{more}') as error:
            trefoil.share(north.assign(town=north.town.where(~north.index.isin(wrong), "elsewhere")), job, keys["north"])
        assert "elsewhere" not in str(error.value)
    with pytest.raises(trefoil.DataError, match='no column "age"'):
        trefoil.share(north.drop(columns="age"), job, keys["north"])
    with pytest.raises(trefoil.ConfigError, match="expected a data frame"):
        trefoil.share(np.zeros((3, 2)), job, keys["north"])
    with pytest.raises(trefoil.ConfigError, match="one of the job's data owners"):
        trefoil.share(north, job, keys["research"])
    with pytest.raises(trefoil.ConfigError, match="expected a member of the job"):
        job.approve(keys["stranger"])
    assert all("no answer" in said for said in job.status(keys["stranger"]).values())
    with pytest.raises(trefoil.RefusedError):
        trefoil.fetch(job, keys["research"])

    # What is clipped is told first: who makes errors of warnings has shared nothing.
    far = north.assign(age=north.age.where(north.index != 3, 1e6))
    with warnings.catch_warnings(), pytest.raises(trefoil.DataWarning, match='column "age": 1 of 300 values clipped'):
        warnings.simplefilter("error")
        trefoil.share(far, job, keys["north"])
    with pytest.raises(trefoil.DataError, match='column "age": found 150 of 300 values beyond'), pytest.warns(trefoil.DataWarning):
        trefoil.share(north.assign(age=north.age.where(north.index % 2 == 0, 1e6)), job, keys["north"])
    with pytest.warns(trefoil.DataWarning, match='column "age": 1 of 300 values clipped') as told:
        receipt = trefoil.share(far, job, keys["north"])
    assert [warning.filename for warning in told] == [__file__]
    assert (receipt["summary"]["train_rows"], receipt["summary"]["test_rows"]) == (240, 60)
    with pytest.raises(TimeoutError):
        job.wait(keys["research"], seconds=0.1)
    polars = pytest.importorskip("polars")
    columns = {name: south[name].to_list() for name in south}
    trefoil.share(polars.DataFrame(columns), job, "keys/south.pem")

    model = trefoil.fetch(job, keys["research"], wait=120)
    # Two parties that say so are not all three.
    RUNNING[2].send_signal(signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        job.wait(keys["research"], seconds=1, timeout=0.5)
    RUNNING[2].send_signal(signal.SIGCONT)
    assert {status["state"]["is"] for status in job.status(keys["research"]).values()} == {"trained"}
    records = frame(3, 200)
    assert (model.predict(records) == records.outcome).mean() > 0.9
    command("model", "fetch", "job.toml", "--key", "keys/research.pem", "--out", "model.safetensors")
    assert trefoil.Model.load("model.safetensors").to_bytes() == model.to_bytes()
    with pytest.raises(trefoil.ConfigError, match="the job's model owner"):
        trefoil.fetch(job, keys["north"])

    text = command("service", "template", "job.toml")
    (folder / "service.toml").write_text(text)
    for operator in ("p0", "p1", "p2"):
        command("service", "approve", "service.toml", "--key", f"keys/{operator}.pem")
    service = Service("service.toml", keys["ward"])
    answers = service.answers(records)
    assert np.abs(answers - model.answers(records)).max() < 0.01
    assert np.array_equal(service.predict(records), np.array(model.classes)[answers.argmax(axis=1)])
    # More than are asked for at a time.
    many = frame(4, 4100)
    said = service.predict(many)
    assert len(said) == 4100 and (said == model.predict(many)).mean() > 0.98
    (folder / "class.toml").write_text(text.replace('"probabilities"', '"class"'))
    with pytest.raises(trefoil.RefusedError, match="found one that tells the class alone"):
        Service("class.toml", keys["ward"]).answers(records)
    with pytest.raises(trefoil.NetworkError, match="refused this certificate"):
        Service("service.toml", keys["stranger"], timeout=5).predict(records)


def test_a_job_that_ends_otherwise(folder):
    (folder / "ended.toml").write_text(JOB.replace('"wards"', '"ended"'))
    job = Job.load("ended.toml")
    job.propose("keys/p0.pem")
    with pytest.raises(trefoil.FileError, match="nothing.safetensors"):
        job.approve("keys/p0.pem", start="nothing.safetensors")
    for operator in ("p0", "p1", "p2"):
        command("job", "cancel", "ended.toml", "--key", f"keys/{operator}.pem")
    with pytest.raises(trefoil.TrainingError, match="p[012]: cancelled by "):
        job.wait("keys/research.pem", seconds=60)


def test_a_job_is_built_as_its_file_is_written(folder):
    """What Python writes is what the command reads, to the hash."""
    read = Job.load("job.toml")
    number = {"kind": "number", "name": "age", "mean": np.float64(50), "deviation": 20}
    town = {"kind": "category", "name": "town", "values": np.array(["here", "there"])}
    fields = {
        "name": "wards",
        "party": ["p0", "p1", "p2"],
        "owner": ("north", "south"),
        "model_owner": "research",
        "data": {"task": "classification", "label": "outcome", "classes": ["ill", "well"], "columns": [number, town]},
        "train": {"hidden": [8], "epochs": np.int64(5), "batch": 32, "patience": None},
    }
    serve = {"reveal": "probabilities", "client": ["ward"], "records": 1000000}
    job = Job.build(**fields, serve=serve)
    assert job.hash == read.hash
    job.save("built.toml")
    assert job.hash in command("job", "show", "built.toml") and Job.load("built.toml").hash == job.hash
    assert Job.build(**fields, suite="securenn").hash != Job.build(**fields).hash

    guessed = trefoil.schema(frame(1, 300), "outcome", without=["patient"])
    with pytest.warns(UserWarning, match='column "patient" is left out: '):
        assert trefoil.schema(frame(1, 300), "outcome")["columns"] == guessed["columns"]
    assert guessed["classes"] == ["ill", "well"] and guessed["task"] == "classification"
    assert [column["name"] for column in guessed["columns"]] == ["town", "age"] and guessed["columns"][0]["values"] == ["here", "there"]
    frame(1, 300).to_csv("records.csv", index=False)
    shown = command("job", "template", "records.csv", "--label", "outcome", "--without", "patient")
    assert str(guessed["columns"][1]["mean"]) in shown and str(guessed["columns"][1]["deviation"]) in shown
    assert Job.build(**{**fields, "data": guessed}).hash != job.hash
    rated = frame(1, 300).assign(outcome=np.arange(300) % 2)
    tasks = [trefoil.schema(rated, "outcome", task, without=["patient"])["task"] for task in (None, "regression", "classification")]
    assert tasks == ["classification", "regression", "classification"]
    linked = trefoil.schema(frame(1, 300), "outcome", task="classification", id="patient")
    assert linked["partition"] == "vertical" and linked["id"] == "patient"

    for wrong, why in [
        ({"party": ["p0", "p1"]}, "job: found .*length 2"),
        ({"owner": ["nobody"]}, "job: nobody: found a name alone"),
        ({"epochs": 3}, "job: found unknown field `epochs`"),
        ({"train": {"lr": float("nan")}}, "job: found .*expected finite numbers"),
        ({"train": {"batch": 0}}, "batch"),
    ]:
        with pytest.raises(trefoil.ConfigError, match=why):
            Job.build(**{**fields, **wrong})
    with pytest.raises(trefoil.ConfigError, match="task: found other"):
        trefoil.schema(frame(1, 300), "outcome", task="other")
    with pytest.raises(trefoil.DataError, match="label"):
        trefoil.schema(frame(1, 300), "nothing")
    with pytest.raises(trefoil.FileError):
        job.save("nowhere/built.toml")


def patients(seed):
    """The records of scikit-learn's breast cancer file, made hard: noise, one in twenty ill, a tenth of the values missing; by the size of the nuclei."""
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    random, kinds = np.random.RandomState(seed), [np.flatnonzero(y == 1), np.flatnonzero(y == 0)]
    ill = np.arange(4000) % 20 == 0
    rows = np.where(ill, random.choice(kinds[1], 4000), random.choice(kinds[0], 4000))
    values = np.maximum(X.values[rows] + 1.5 * X.values.std(axis=0) * random.randn(4000, X.shape[1]), 0)
    order = np.argsort(values[:, 0])
    values[random.rand(*values.shape) < 0.1] = np.nan
    columns = [name.replace(" ", "_") for name in X]
    frame = pandas.DataFrame(values, columns=columns).assign(diagnosis=np.where(ill, "malignant", "benign"), test=np.arange(4000) // 20 % 4 == 0)
    return frame.iloc[order].reset_index(drop=True), columns


def test_hospitals_made_hard(folder):
    """Four hospitals with patients and units of their own: statistics, what fills a missing value and class weights on shares are as good as scikit-learn's
    preparation of all records together, for the same network in floating point."""
    # Millimetres, micrometres, inches.
    units, areas = {"north": 1, "south": 0.001, "east": 25.4, "west": 1}, []
    for seed in range(1, 6):
        frame, columns = patients(seed)
        train, test = (frame[frame.test == wanted].drop(columns="test") for wanted in (False, True))
        settings = {"hidden": (16,), "epochs": 6, "batch_size": 64, "learning_rate": 0.02, "schedule": "cosine", "random_state": seed}
        prepare = make_pipeline(SimpleImputer(), StandardScaler())
        clear = trefoil.TrefoilClassifier(engine="float", class_weight="balanced", **settings)
        pooled = make_pipeline(prepare, clear).fit(train[columns].values, train.diagnosis)
        # Bounds that anybody could have named: from 0 to a power of ten.
        bounds = [float(10 ** np.ceil(np.log10(frame[name].max()))) for name in columns]
        number = {"kind": "number", "scale": "secure", "missing": [""], "fill": "mean"}
        job = Job.build(
            name=f"hospitals {seed}",
            party=["p0", "p1", "p2"],
            owner=list(units),
            model_owner="research",
            data={
                "task": "classification",
                "label": "diagnosis",
                "classes": ["benign", "malignant"],
                "holdout": 0,
                "columns": [{**number, "name": name, "within": [0, most]} for name, most in zip(columns, bounds)],
            },
            train={
                "hidden": [16], "epochs": 6, "batch": 64, "lr": 0.02, "class_weights": "balanced",
                "seed": int(np.random.RandomState(seed).randint(np.iinfo(np.int32).max)),
            },
            # So that the model's file can fill what is missing, too.
            open={"statistics": True, "metric": "nothing"},
        )
        job.save("hospitals.toml")
        job.propose("keys/p0.pem")
        for operator in ("p0", "p1", "p2"):
            job.approve(f"keys/{operator}.pem")
        for rows, (owner, unit) in zip(np.array_split(np.arange(len(train)), 4), units.items()):
            part = train.iloc[rows]
            # As it was written down, with four digits, in the hospital's own unit.
            part.assign(**{name: part[name] / unit for name in columns}).to_csv("hospital.csv", index=False, float_format="%.3e")
            in_units = [word for name in columns for word in ("--unit", f"{name}={unit}")]
            command("share", "hospital.csv", "--job", "hospitals.toml", "--key", f"keys/{owner}.pem", *in_units)
        model = trefoil.fetch(job, "keys/research.pem", wait=120)
        ill = test.diagnosis == "malignant"
        areas.append([
            roc_auc_score(ill, pooled.predict_proba(test[columns].values)[:, 1]), roc_auc_score(ill, model.answers(test[columns])[:, 1])
        ])
    pooled, shares = np.median(areas, axis=0)
    print(f"\nhospitals made hard: AUC {shares:.4f} on shares, {pooled:.4f} prepared by scikit-learn; by seed {np.round(areas, 4).tolist()}")
    assert shares > 0.9 and abs(shares - pooled) <= 0.005


def test_what_is_not_there(folder):
    with pytest.raises(trefoil.FileError):
        Job.load("nothing.toml")
    (folder / "other.toml").write_text("name = 3")
    with pytest.raises(trefoil.ConfigError, match="other.toml"):
        Job.load("other.toml")
    with pytest.raises(trefoil.ConfigError, match="nothing.pem"):
        Key("nothing.pem")
    peers = (folder / "peers.toml").read_text()
    address = f"127.0.0.1:{free_port()}"
    (folder / "gone.toml").write_text("".join(
        line if not line.startswith("address") else f'address = "{address}"\n' for line in peers.splitlines(True)
    ))
    gone = Job.load("job.toml", peers="gone.toml")
    started = time.monotonic()
    with pytest.raises(trefoil.NetworkError):
        gone.propose("keys/north.pem", timeout=0.5)
    assert time.monotonic() - started < 10
    assert "no answer" in gone.status("keys/north.pem", timeout=0.5)["p0"]
