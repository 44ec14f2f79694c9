#!/usr/bin/env bash
# Three parties of two processes each, of which one after the other loses a process: see README.md.
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
printf '\n# A reader may ask the model afterwards.\n[serve]\nreveal = "class"\nclient = ["reader"]\nrecords = 100000\n' >> job.toml
. "$here/../digits/records.sh"
introduce post university museum archive-north archive-south library reader

say "Three parties, each of two ranks"
start_parties job.toml

say "One archive shares its images with rank 0 of each party, the other one knows rank 1 alone"
run trefoil share archive-north.csv --job job.toml --key keys/archive-north.pem
# Each rank keeps a part of it until the job is over, rank 1 in a folder of its own.
for party in $parties; do
    [ -n "$(find "data-of-$party/rank-1/uploads" -name '*.sealed')" ] || fail "rank 1 of the $party keeps nothing"
done
awk -v p="$port" '{ for (i = 0; i < 3; i++) if (sub("127.0.0.1:" p + i, "127.0.0.1:" p + i + 3)) break; print }' peers.toml > ranks-1.toml
run trefoil share archive-south.csv --job job.toml --peers ranks-1.toml --key keys/archive-south.pem

# The last epoch whose figures have been opened.
epoch() { trefoil job status job.toml --key keys/library.pem --json | awk '/"epoch": [0-9]/ { gsub(/[^0-9]/, "", $2); if ($2 > e) e = $2 + 0 } END { print e + 0 }'; }

# What was started for a party: mpirun, whose children are the ranks.
set -- $pids
post=$1 university=$2 museum=$3
for party in $parties; do
    say "Rank 1 of the $party dies: that ends the $party's mpirun, and the other two parties wait"
    known=${seen:-0}
    until seen=$(epoch) && [ "$seen" -gt "$known" ]; do sleep 0.1; done
    mpirun=${!party}
    kill -9 "$(pgrep -n -P "$mpirun")"
    wait "$mpirun" && fail "a party went on without one of its ranks"
    pids="$pids "
    pids=${pids/ $mpirun / }
    pids=${pids% }
    if [ "$party" = museum ]; then
        say "The museum has one machine left: it is started again as one process, and the training goes on from its last checkpoint in one lane"
        launcher=
        sed '/^lanes/d' museum.toml > one.toml
        mv one.toml museum.toml
    else
        say "The $party is started again, and the training goes on from its last checkpoint"
    fi
    start_party "$party" job.toml
done

run trefoil job status job.toml --key keys/library.pem --follow
run trefoil model fetch job.toml --key keys/library.pem --out model.safetensors
printf '$ grep session post.log\n'
sed -n 's/.*\(session [0-9a-f]* from step [0-9]*\).*/\1/p; s/.*lanes::training: \([0-9]* lanes\).*/\1/p' post.log | tee sessions
# Three sessions that trained had two lanes, which they say first; the last one has one.
[ "$(grep -c '2 lanes' sessions)" -ge 3 ] && [ "$(tail -n 2 sessions | grep -c '^session')" = 2 ] || fail "the lanes of the sessions"

say "The figure"
require "accuracy on 359 images held out, opened from shares" "$(opened job.toml library)" "at least" 0.93

say "The museum has its second machine again, and the reader asks: the model answers in both lanes"
museum=${pids##* }
kill "$museum"
wait "$museum" || fail "the museum ended with code $?"
pids=${pids% "$museum"}
launcher='mpirun -q -n 2 --oversubscribe'
sed "1a lanes = [\"127.0.0.1:$((port + 5))\"]" museum.toml > two.toml
mv two.toml museum.toml
start_party museum job.toml
printf '$ trefoil service template job.toml > service.toml\n'
trefoil service template job.toml > service.toml
until trefoil job status job.toml --key keys/museum.pem > /dev/null 2>&1; do sleep 0.1; done
for party in $parties; do run trefoil service approve service.toml --key "keys/$party.pem"; done
cut -d , -f 1-64 archive-south.csv > images.csv
trefoil predict model.safetensors images.csv --out clear.csv
# Passes that the lanes of the post have done.
passes() { trefoil service status service.toml --key keys/post.pem | sed -n 's/.*passes: \([0-9]*\) in lane 0, \([0-9]*\) in lane 1.*/\1 \2/p'; }
lanes='0 0'
# Lane 1 is there a moment after lane 0.
for round in 1 2 3 4 5; do
    asking=
    for n in 1 2 3 4; do
        printf '$ trefoil predict --service service.toml images.csv --key keys/reader.pem --out told-%s.csv &\n' "$n"
        trefoil predict --service service.toml images.csv --key keys/reader.pem --out "told-$n.csv" 2> "asking-$n.log" &
        asking="$asking $!"
    done
    for pid in $asking; do wait "$pid" || fail "a question without an answer"; done
    lanes=$(passes)
    lanes=${lanes:-0 0}
    [ "${lanes#* }" -lt 5 ] || break
done
agree=$(for n in 1 2 3 4; do paste -d , "told-$n.csv" clear.csv; done | awk -F , '$1 == $2 && $1 ~ /^[0-9]$/ { agree++ } END { print agree + 0 }')
require "of 4 times 797 answers, those of the model that the library has fetched" "$agree" "at least" 3180
run trefoil service status service.toml --key keys/post.pem
require "passes that lane 0 has done" "${lanes% *}" "at least" 1
require "passes that lane 1 has done" "${lanes#* }" "at least" 5

# mpirun passes the end on to its ranks, and says by its code that it was told to.
for pid in $pids; do kill "$pid"; done
for pid in $pids; do wait "$pid" || true; done
pids=
