#!/usr/bin/env bash
# A bank and a telecom look for fraud in columns of the same customers: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common.sh"

say "Synthetic records of 1,800 customers, most of them of both, in files of different orders"
cp "$here/job.toml" .
awk -v seed=1 -v customers=1800 -f "$here/../random.awk" -f "$here/generate.awk"
run head -n 4 bank.csv
run head -n 4 telecom.csv

say "Keys, and who is who"
introduce bank-server telecom-server auditor bank telecom fraud-desk

say "The three parties, whose operators approve the job"
start_parties job.toml

say "Each of the two shares its own columns of the customers whom both have; who is first waits for the other"
printf '$ trefoil share telecom.csv --job job.toml --key keys/telecom.pem &\n'
trefoil share telecom.csv --job job.toml --key keys/telecom.pem > telecom-share.log 2>&1 &
telecom=$!
run trefoil share bank.csv --job job.toml --key keys/bank.pem
wait "$telecom" || fail "the telecom could not share: $(tail -n 1 telecom-share.log)"
printf '\nWhat the telecom was told:\n'
cat telecom-share.log

say "The model goes to the fraud desk alone"
run trefoil model fetch job.toml --key keys/fraud-desk.pem --wait 300 --out model.safetensors,model.onnx
run trefoil job status job.toml --key keys/fraud-desk.pem

say "Was it worth it? The same parties train on the bank's columns alone"
cp "$here/bank-alone.toml" .
for operator in bank-server telecom-server auditor; do
    run trefoil job approve bank-alone.toml --key "keys/$operator.pem"
done
run trefoil share bank.csv --job bank-alone.toml --key keys/bank.pem
run trefoil job status bank-alone.toml --key keys/fraud-desk.pem --follow

say "What a party has written down"
written auditor

say "The figures: areas under the ROC curve on customers held out, opened from shares"
require "by both" "$(opened job.toml fraud-desk)" "at least" 0.9
require "by the bank alone" "$(opened bank-alone.toml fraud-desk)" "at most" 0.9
stop_parties
