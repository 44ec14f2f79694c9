"""Asks ONNX Runtime what a model says of raw records, and holds it to what `trefoil predict` said of them.

python predict.py model.onnx records.csv said.csv
"""

import csv
import sys

import numpy
import onnxruntime

model, records, said = sys.argv[1:]
with open(records, newline="") as file:
    rows = list(csv.DictReader(file))
columns = [name for name in rows[0] if name != "diagnosis"]
x = numpy.array([[float(row[name]) for name in columns] for row in rows], "float32")
labels, probabilities = onnxruntime.InferenceSession(model).run(None, {"x": x})
with open(said, newline="") as file:
    expected = list(csv.reader(file))[1:]
far = max(abs(float(p) - q) for row, found in zip(expected, probabilities) for p, q in zip(row[1:], found))
same = sum(row[0] == label for row, label in zip(expected, labels))
right = sum(row["diagnosis"] == label for row, label in zip(rows, labels))
print(f"ONNX Runtime: {right} of {len(rows)} right; {same} as trefoil predict says, probabilities at most {far:.1e} apart")
if same != len(rows) or far > 1e-4:
    sys.exit("found another answer than trefoil predict's, expected the same")
