#!/usr/bin/env bash
# Four hospitals and a diagnosis: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common.sh"

# part NAME FIRST LAST: these records, with the columns' names.
part() {
    { head -n 1 "$here/breast_cancer.csv" && sed -n "$(($2 + 1)),$(($3 + 1))p" "$here/breast_cancer.csv"; } > "$1.csv"
    printf '%s.csv: %s records\n' "$1" $(($3 - $2 + 1))
}

say "Who has what: four hospitals, the institute's own records to try the model on, and a ward's patients without a diagnosis"
part north 1 160
part south 161 300
part east 301 420
part west 421 500
part institute 501 561
part patients 562 569
cut -d , -f 1-30 patients.csv > ward.csv

say "Keys, and who is who"
introduce university registry foundation north south east west institute ward

say "The three parties, whose operators approve the job"
cp "$here/job.toml" .
start_parties job.toml

say "Each hospital shares its records, and thereby approves the job"
for hospital in north south east west; do
    run trefoil share "$hospital.csv" --job job.toml --key "keys/$hospital.pem"
done

say "With the last of them the training begins; its owner fetches the model"
run trefoil job status job.toml --key keys/institute.pem --follow
run trefoil model fetch job.toml --key keys/institute.pem --out model.safetensors,model.npz,model.onnx
run trefoil model show model.safetensors | cut -c 1-120

say "What a party has written down"
written university

say "The figures"
require "accuracy on the hospitals' held-out records, opened from shares" "$(opened job.toml institute)" "at least" 0.95
clear=$(trefoil evaluate model.safetensors --csv institute.csv --json | awk -F '[:,]' '/accuracy/ { print $2 + 0 }')
require "accuracy of the model's file on the institute's records, in the clear" "$clear" "at least" 0.9

say "What the ONNX file makes of the institute's raw records"
run trefoil predict model.onnx institute.csv --out said.csv
head -n 3 said.csv
right=$(paste -d , said.csv institute.csv | awk -F , 'NR > 1 { right += $1 == $NF } END { print right / (NR - 1) }')
require "accuracy of model.onnx on raw records" "$right" "at least" 0.9
if [ -n "${TREFOIL_PYTHON:-}" ]; then
    run "$TREFOIL_PYTHON" "$here/predict.py" model.onnx institute.csv said.csv
fi

say "A ward asks the three parties, and is told the answers alone: the model stays in shares"
printf '$ trefoil service template job.toml > service.toml\n'
trefoil service template job.toml > service.toml
for party in $parties; do run trefoil service approve service.toml --key "keys/$party.pem"; done
run trefoil predict --service service.toml ward.csv --key keys/ward.pem --out told.csv
trefoil predict model.safetensors ward.csv --out clear.csv
agree=$(paste -d , told.csv clear.csv | awk -F , 'NR > 1 { agree += $1 == $2 } END { print agree + 0 }')
printf '%s of 8 answers are those of the model that the institute has fetched\n' "$agree"
[ "$agree" -eq 8 ] || fail "answers that agree: found $agree, expected 8"

if [ -n "${TREFOIL_TRITON:-}" ]; then
    say "A program beside the ward's gateway asks in the Open Inference Protocol"
    printf '$ trefoil gateway --service service.toml --key keys/ward.pem --listen 127.0.0.1:0 &\n'
    "$TREFOIL" gateway --service service.toml --key keys/ward.pem --listen 127.0.0.1:0 2> gateway.log &
    pids="$pids $!"
    until grep -q '^gateway: ' gateway.log; do
        [ "$(jobs -pr | wc -l)" -eq 4 ] || fail "the gateway does not start"
        sleep 0.05
    done
    name=$(sed -n 's/^name = "\(.*\)"$/\1/p' service.toml)
    run "$TREFOIL_PYTHON" "$here/ask.py" "$(sed -n 's|^gateway: .* at http://\([^/]*\)/.*|\1|p' gateway.log)" "$name" ward.csv told.csv
fi
stop_parties
