#!/usr/bin/env bash
# Two hundred people with a band at the wrist: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common.sh"
devices=200

say "Synthetic records: ten minutes of each of $devices people"
mkdir records
awk -v seed=1 -v devices=$devices -f "$here/../random.awk" -f "$here/generate.awk"
run head -n 4 records/device-1.csv

say "Keys of the three parties and of the model's owner"
introduce maker clinic watchdog researcher

say "A key for each device, eight at a time"
# A device has no disk for a passphrase to guard: it keeps its key in a store of its own, and hands it over by a descriptor. OpenSSL
# plays that store. Without it trefoil makes keys under the passphrase, which is slow on purpose, two hundred times.
cat > new-device << 'END'
key=keys/device-$1.pem
umask 077
if openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=device-$1" \
    -addext basicConstraints=critical,CA:FALSE -keyout "$key.new" -out "$key" 2> /dev/null; then
    cat "$key.new" >> "$key"
    openssl x509 -in "$key" -noout -fingerprint -sha256 | sed 's/.*=//; s/://g' | tr 'A-F' 'a-f' > "$key.fingerprint"
else
    "$TREFOIL" keygen --quiet --force --dir keys "device-$1" > "$key.fingerprint"
fi
END
seq $devices | xargs -P 8 -n 1 sh -e new-device

say "The job's file names them all"
{
    sed '/^\[train\]/,$d' "$here/job.toml"
    for i in $(seq $devices); do
        printf '\n[[owner]]\nname = "device-%s"\nfingerprint = "%s"\n' "$i" "$(cat "keys/device-$i.pem.fingerprint")"
    done
    printf '\n'
    sed -n '/^\[train\]/,$p' "$here/job.toml"
} > job.toml
run grep -c '^\[\[owner' job.toml

say "The three parties, whose operators approve the job"
start_parties job.toml

say "Each device uploads and leaves"
share() { run trefoil share "records/device-$1.csv" --job job.toml --key fd:3 3< "keys/device-$1.pem"; }
share 1
say "If it comes again it is refused: its records are used once"
if share 1; then fail "a second upload was taken"; fi
say "The other 199, eight at a time"
seq 2 $devices | xargs -P 8 -n 1 sh -c '"$TREFOIL" share "records/device-$0.csv" --job job.toml --key fd:3 3< "keys/device-$0.pem" \
    2> "device-$0.txt" || { cat "device-$0.txt" >&2; exit 255; }'
run grep shared device-$devices.txt

say "No device is there any more; the parties train on what they have left"
run trefoil job status job.toml --key keys/researcher.pem --follow
run trefoil model fetch job.toml --key keys/researcher.pem --out model.safetensors,model.onnx

say "What a party has written down"
written maker

say "The figure"
require "accuracy on 400 minutes held out, opened from shares" "$(opened job.toml researcher)" "at least" 0.9
stop_parties
