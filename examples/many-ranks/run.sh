#!/usr/bin/env bash
# Three parties of two processes each, one of which dies: see README.md.
set -euo pipefail
command -v mpirun > /dev/null || {
    echo 'many-ranks: mpirun: found nothing, expected Open MPI (on Debian: apt-get install openmpi-bin libopenmpi-dev libclang-dev)' >&2
    exit 2
}
if [ -z "${TREFOIL:-}" ]; then
    # The program that is in the PATH may have been built without MPI.
    cargo build --release --quiet --features mpi --manifest-path "$(dirname "$0")/../../Cargo.toml"
    TREFOIL=${CARGO_TARGET_DIR:-$(cd "$(dirname "$0")/../.." && pwd)/target}/release/trefoil
fi
. "$(dirname "$0")/../common.sh"
launcher='mpirun -q -n 2 --oversubscribe'
# In a container everybody is root, which mpirun would refuse.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

say "The two archives of the example digits"
sed 's/^epochs = .*/epochs = 20/' "$here/../digits/job.toml" > job.toml
printf '\n# A checkpoint after each epoch: the shorter the way back.\n[checkpoint]\nsteps = 22\n' >> job.toml
. "$here/../digits/records.sh"
introduce post university museum archive-north archive-south library

say "Three parties, each of two ranks"
start_parties job.toml

say "The archives share their images with rank 0 of each party, which are the parties to everybody else"
share_images

say "Rank 1 of the post dies: that ends the post's mpirun, and the other two parties wait"
until [ -n "$(opened job.toml library)" ]; do sleep 0.1; done
mpirun_of_post=${pids# }
mpirun_of_post=${mpirun_of_post%% *}
kill -9 "$(pgrep -n -P "$mpirun_of_post")"
wait "$mpirun_of_post" && fail "a party went on without one of its ranks"
pids=${pids#" $mpirun_of_post"}

say "The post is started again, and the training goes on from its last checkpoint"
start_party post job.toml
run trefoil job status job.toml --key keys/library.pem --follow
run trefoil model fetch job.toml --key keys/library.pem --out model.safetensors
printf '$ grep session post.log\n'
sed -n 's/.*\(session [0-9a-f]* from step [0-9]*\).*/\1/p; s/.*lanes: \([0-9]* lanes\).*/\1/p' post.log

say "The figure"
require "accuracy on 359 images held out, opened from shares" "$(opened job.toml library)" "at least" 0.93
# mpirun passes the end on to its ranks, and says by its code that it was told to.
for pid in $pids; do kill "$pid"; done
for pid in $pids; do wait "$pid" || true; done
pids=
