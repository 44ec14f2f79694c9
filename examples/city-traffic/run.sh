#!/usr/bin/env bash
# Districts of a city learn how long a way takes: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common.sh"

say "Synthetic records of five districts, 500 hours each"
cp "$here/job.toml" .
awk -v seed=1 -v hours=500 -f "$here/../random.awk" -f "$here/generate.awk"
run head -n 4 centre.csv
districts="centre harbour hills old-town west"
cat ./*.csv | awk -F , '$7 != "delay" { n++; sum += $7; squares += $7 * $7 }
    END { m = sum / n; v = squares / n - m * m; printf "delay in all districts: mean %.2f min, variance %.1f min^2, deviation %.2f min\n", m, v, sqrt(v) }'

say "Keys, and who is who"
# shellcheck disable=SC2086 # a list of names
introduce transport weather university $districts control-room

say "The three parties, whose operators approve the job"
start_parties job.toml

say "The districts share their records"
for district in $districts; do
    run trefoil share "$district.csv" --job job.toml --key "keys/$district.pem"
done

say "The control room waits for its model"
run trefoil job status job.toml --key keys/control-room.pem --follow
run trefoil model fetch job.toml --key keys/control-room.pem --out model.safetensors,model.npz,model.onnx

say "What a party has written down"
written weather

say "The figure"
error=$(opened job.toml control-room)
require "mean squared error on 500 hours held out, opened from shares, in units of the job's variance" "$error" "at most" 0.2
awk -v e="$error" 'BEGIN { printf "that is %.1f min^2 of %.1f: off by %.1f minutes (root mean square), of which the generator'\''s noise is 1.5\n", 25 * e, 25, 5 * sqrt(e) }'
stop_parties
