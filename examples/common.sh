# What the examples share. Sourced by each run.sh after `set -euo pipefail`; works in bash 3.2 and later.
#
#   TREFOIL       the program [default: trefoil in PATH, else this repository's, built in release mode]
#   TREFOIL_PORT  the first of three free ports in a row, or of six where parties have two ranks [default: any]

export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
here=$(cd "$(dirname "$0")" && pwd)
pids=
work=
reason='a command did not end well'

say() { printf '\n== %s\n' "$*"; }

fail() {
    reason=$*
    exit 1
}

clean_up() {
    local status=$?
    trap - EXIT
    if [ $status -ne 0 ]; then
        [ -z "$work" ] || tail -n 5 "$work"/*.log 2> /dev/null || true
        printf 'failed: %s\n' "$reason"
    fi >&2
    {
        for pid in $pids; do kill -9 "$pid" || true; done
        wait
    } 2> /dev/null
    [ -z "$work" ] || rm -rf "$work"
    exit $status
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Prints a command, then does it; what it has to say is in one stream and in order.
run() {
    printf '$ %s\n' "$*"
    "$@" 2>&1
}

trefoil() { "$TREFOIL" "$@"; }

if [ -z "${TREFOIL:-}" ]; then
    if TREFOIL=$(type -P trefoil); then :; else
        printf 'building trefoil\n' >&2
        cargo build --release --quiet --manifest-path "$root/Cargo.toml"
        TREFOIL=${CARGO_TARGET_DIR:-$root/target}/release/trefoil
    fi
fi
case $TREFOIL in
    /*) ;;
    */*) TREFOIL=$PWD/$TREFOIL ;;
esac
command -v "$TREFOIL" > /dev/null || fail "$TREFOIL: not found"

# A passphrase encrypts each private key on disk. Here one does for all: the keys live as long as the script.
export TREFOIL TREFOIL_PASSPHRASE='for one run of an example'
unset TREFOIL_LOG RUST_LOG

work=$(mktemp -d "${TMPDIR:-/tmp}/trefoil-example.XXXXXX")
cd "$work"

# Whether somebody listens at a port of this machine.
taken() { (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

port=${TREFOIL_PORT:-}
while [ -z "$port" ]; do
    port=$((10000 + RANDOM % 22000))
    for p in $port $((port + 1)) $((port + 2)) $((port + 3)) $((port + 4)) $((port + 5)); do
        if taken "$p"; then port= && break; fi
    done
done

# introduce PARTY PARTY PARTY [NAME...]: keys for all of them, and peers.toml, by which the job's file may call them by name.
# Really each does it at home, and compares fingerprints with the others over the telephone.
introduce() {
    local name address next=$port
    parties="$1 $2 $3"
    printf '$ trefoil keygen --quiet --dir keys %s\n' "$*"
    trefoil keygen --quiet --dir keys "$@" > fingerprints
    for name in "$@"; do
        read -r fingerprint <&3
        address=-
        case " $parties " in *" $name "*) address=127.0.0.1:$next && next=$((next + 1)) ;; esac
        printf '$ trefoil peers add %s %s %.8s...\n' "$name" "$address" "$fingerprint"
        trefoil peers add "$name" "$address" "$fingerprint"
    done 3< fingerprints
}

# What a party is started with, before the program: mpirun and its options, where it is a cluster.
launcher=

# start_party NAME JOB: one server, whose operator has read the job and approves it.
start_party() {
    printf '$ %strefoil party --config %s.toml --approve %s &\n' "${launcher:+$launcher }" "$1" "$2"
    $launcher "$TREFOIL" party --config "$1.toml" --approve "$2" 2>> "$1.log" &
    pids="$pids $!"
}

# start_parties JOB: the three of them.
start_parties() {
    local name next=$port
    for name in $parties; do
        {
            printf 'listen = "127.0.0.1:%s"\n' "$next"
            printf 'key = "keys/%s.pem"\n' "$name"
            printf 'data = "data-of-%s"\n' "$name"
            [ -z "$launcher" ] || printf 'lanes = ["127.0.0.1:%s"]\nspread_uploads = true\n' $((next + 3))
        } > "$name.toml"
        next=$((next + 1))
        start_party "$name" "$1"
    done
    for name in $parties; do
        until grep -q listening "$name.log"; do
            [ "$(jobs -pr | wc -l)" -eq 3 ] || fail "a party does not start"
            sleep 0.05
        done
    done
}

# opened JOB OWNER: the figure that was opened last, as the model owner is told it.
opened() {
    trefoil job status "$1" --key "keys/$2.pem" --json | awk '/"metric": [0-9]/ { gsub(/[^0-9.eE-]/, "", $2); m = $2 } END { print m }'
}

# require NAME FOUND RELATION BOUND: that a figure is what the README promises; RELATION is "at least" or "at most".
require() {
    awk -v x="$2" -v how="$3" -v y="$4" 'BEGIN { exit !(x != "" && (how == "at least" ? x + 0 >= y + 0 : x + 0 <= y + 0)) }' ||
        fail "$1: found ${2:-nothing}, expected $3 $4"
    printf '%s: %.4f, which is %s %s\n' "$1" "$2" "$3" "$4"
}

# written PARTY: how often each kind of event is in a party's audit log, after its chain of hashes was verified.
written() {
    run trefoil audit "data-of-$1/audit.jsonl"
    trefoil audit "data-of-$1/audit.jsonl" --entries 2> /dev/null | sed 's/^[0-9]* [^ ]* \([^:]*\):.*/\1/' | sort | uniq -c
}

# The parties are told to stop, and do.
stop_parties() {
    local pid
    for pid in $pids; do kill "$pid"; done
    for pid in $pids; do wait "$pid" || fail "a party ended with code $?"; done
    pids=
}
