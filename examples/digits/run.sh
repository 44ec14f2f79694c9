#!/usr/bin/env bash
# Two archives and their handwritten digits: see README.md.
set -euo pipefail
. "$(dirname "$0")/../common.sh"

say "1,797 images of 8 x 8 grey levels; each archive has about half of them"
cp "$here/job.toml" .
. "$here/records.sh"
run wc -l archive-north.csv archive-south.csv

say "Keys, and who is who"
introduce post university museum archive-north archive-south library

say "What everybody reads before agreeing"
run trefoil job show job.toml

say "The three parties, whose operators approve the job"
start_parties job.toml

say "The archives share their images"
share_images

say "The library waits for its model"
run trefoil job status job.toml --key keys/library.pem --follow
run trefoil model fetch job.toml --key keys/library.pem --out model.safetensors,model.onnx
run trefoil model show model.safetensors

say "The figure"
require "accuracy on 359 images held out, opened from shares" "$(opened job.toml library)" "at least" 0.93
stop_parties
