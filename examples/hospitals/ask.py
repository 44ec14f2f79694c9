"""Asks a gateway by Triton's client what is said of raw records, and holds it to what `trefoil predict --service` was told of them.

python ask.py 127.0.0.1:8000 MODEL records.csv told.csv, where MODEL is what the service is called
"""

import csv
import sys

import numpy
import tritonclient.http as triton

address, model, records, told = sys.argv[1:]
with open(records, newline="") as file:
    rows = list(csv.DictReader(file))
with open(told, newline="") as file:
    expected = [row["class"] for row in csv.DictReader(file)]
client = triton.InferenceServerClient(address)
if not (client.is_server_live() and client.is_server_ready() and client.is_model_ready(model, "1")):
    sys.exit("found a gateway that is not ready, expected one that is")
columns = client.get_model_metadata(model)["inputs"]
found = []
# Tensors in the binary form, which is the client's own choice, and in JSON; outputs likewise.
for binary in (True, False):
    inputs = []
    for column in columns:
        tensor = triton.InferInput(column["name"], [len(rows)], "FP64")
        tensor.set_data_from_numpy(numpy.array([float(row[column["name"]]) for row in rows]), binary_data=binary)
        inputs.append(tensor)
    outputs = [triton.InferRequestedOutput("class", binary_data=binary)]
    for wanted in (outputs, None):
        answer = client.infer(model, inputs, outputs=wanted, request_id="7")
        texts = [text.decode() if isinstance(text, bytes) else text for text in answer.as_numpy("class")]
        found.append(texts == expected and answer.get_response()["id"] == "7")
try:
    client.infer(model, inputs[1:])
    line = "an answer"
except triton.InferenceServerException as e:
    line = e.message()
print(f"Triton's client: {sum(found)} of {len(found)} answers about {len(rows)} patients as trefoil predict is told; without a column: {line}")
if not all(found) or "expected one" not in line:
    sys.exit("found another answer than trefoil predict's, expected the same")
