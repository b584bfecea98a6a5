#!/usr/bin/env bash
# What Tandem costs, and other servers beside it in the same run: exchanges a second, time to the ACK, processor, syncs, memory,
# allocations. It measures and asserts nothing.
#   scripts/bench.sh [SERVER...]      echo tandem kea1 kea2 keamem dhcpd dnsmasq      (default: echo tandem kea2 dhcpd)
# Environment: PARTS ("perfdhcp load figures": what is measured), SECONDS_PER_STEP (3), CLIENTS (200000), LEASES (1000000, for memory
# and start), RELAYS (64), SHARE (50: percent of clients on the wire), WINDOW (1024), AVALANCHE (100000), STAND_STILL (0: seconds for which the
# server is stopped while the avalanche begins), TANDEM (a binary to measure
# instead of building one), QUIET=1 (no progress).
# First the load is perfdhcp in a namespace of its own, as a relay with so many clients. The rate is doubled until, twice in a row, more
# than 3 % of the exchanges that were begun fail or perfdhcp itself cannot begin 80 % of what it was asked to; then it is bisected
# to 5 %. The peak is the best that passed. On a machine that does other things too, compare the servers of one run
# with each other, and with echo, never with another run. Then our own generator, which shows the server's limit and not its own:
# as fast as answers come, half as fast, and all clients at once.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_PER_STEP:-3} many=${CLIENTS:-200000} leases=${LEASES:-1000000}
slow=1000 # exchanges a second at which the time to the ACK is that of one client alone
servers=("$@")
[ $# -gt 0 ] || servers=(echo tandem kea2 dhcpd)
parts=${PARTS:-perfdhcp load figures}
here=$PWD/benches/peers
target=${CARGO_TARGET_DIR:-$PWD/target}
results=$target/bench
. "$here/space.sh"
. "$here/servers.sh"
. "$here/load.sh"

say() { [ -n "${QUIET:-}" ] || echo "$*" >&2; }
progress() { if [ -t 2 ] && [ -z "${QUIET:-}" ]; then printf '\r\033[K  %s' "$*" >&2; fi; }

packages=(iproute2 kea-admin gcc libc6-dev)
for server in "${servers[@]}"; do
    case $server in
        kea*) packages+=(kea-dhcp4-server) ;;
        dhcpd) packages+=(isc-dhcp-server) ;;
        dnsmasq) packages+=(dnsmasq-base) ;;
    esac
done
bash scripts/setup.sh "${packages[@]}"
if [ -z "${TANDEM:-}" ]; then
    say "building"
    cargo build --release --locked --quiet -p tandem -p benches
fi
tandem=${TANDEM:-$target/release/tandem}

rm -rf "$results"
mkdir -p "$results"
cc -O2 -o "$results/fsync" "$here/fsync.c"
server_pid=
stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2> /dev/null || true
    for _ in $(seq 50); do
        kill -0 "$server_pid" 2> /dev/null || break
        sleep 0.1
    done
    kill -9 "$server_pid" 2> /dev/null || true
    wait "$server_pid" 2> /dev/null || true
    server_pid=
}
trap 'stop_server; space_down' EXIT
trap 'exit 130' INT TERM
space_up

start_server() { # name
    folder=$results/$1
    mkdir -p "$folder"
    server_command "$1" "$folder"
    start_command "$1"
}

start_command() { # name, what goes before the command
    ip netns exec "$server_space" "${@:2}" "${command[@]}" > "$folder/output" 2>&1 &
    server_pid=$!
    for _ in $(seq 200); do
        kill -0 "$server_pid" 2> /dev/null || break
        if ip netns exec "$server_space" ss -Hlun 'sport = :67' | grep -q .; then
            sleep 0.5
            return
        fi
        sleep 0.1
    done
    echo "$1 does not start:" >&2
    tail -5 "$folder/output" >&2
    return 1
}

ticks() { awk '{ print $14 + $15 }' "/proc/$server_pid/stat"; }
counter() { sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p" "$2" | head -1; }

# One step at a rate: sets sent and done (exchanges), delay (ms to the ACK), cpu (us for an exchange), syncs and synced (ACKs).
probe() { # server, rate
    local before
    if [ "$1" = tandem ]; then "$tandem" status --json -c "$folder/tandem.toml" > "$folder/before.json" 2>> "$folder/output" || true; fi
    before=$(ticks)
    ip netns exec "$client_space" timeout 60 perfdhcp -4 -l pc0 -r "$2" -R "$clients" -p "$seconds" -W 500000 \
        "$server_address" > "$folder/perfdhcp" 2>&1 || true
    local after
    after=$(ticks)
    if [ "$1" = tandem ]; then "$tandem" status --json -c "$folder/tandem.toml" > "$folder/after.json" 2>> "$folder/output" || true; fi
    done=$(awk '/^\*\*\*Statistics for: REQUEST-ACK/ { found = 1 } found && /^received packets/ { print $3; exit }' "$folder/perfdhcp")
    sent=$(awk '/^\*\*\*Statistics for: DISCOVER-OFFER/ { found = 1 } found && /^sent packets/ { print $3; exit }' "$folder/perfdhcp")
    delay=$(awk '/^\*\*\*Statistics for: REQUEST-ACK/ { found = 1 } found && /^avg delay/ { print $3; exit }' "$folder/perfdhcp")
    sent=${sent:-0} done=${done:-0} delay=${delay:--}
    cpu=- syncs=- synced=-
    if [ "$done" -gt 0 ]; then
        cpu=$(((after - before) * 1000000 / $(getconf CLK_TCK) / done))
        if [ "$1" = tandem ] && [ -s "$folder/after.json" ]; then
            syncs=$(($(counter syncs "$folder/after.json") - $(counter syncs "$folder/before.json")))
            synced=$(($(counter replies-after-sync "$folder/after.json") - $(counter replies-after-sync "$folder/before.json")))
        fi
    fi
    echo "$2 $sent $done $delay $cpu $syncs $synced" >> "$folder/steps"
    progress "$1 at $2/s: $((done / seconds)) exchanges a second, $delay ms to the ACK"
    [ $((done * 100)) -ge $((sent * 97)) ] && [ $((sent * 100)) -ge $(($2 * seconds * 80)) ]
}

# A step that failed is tried once more: something else may have had the processor.
passes() { probe "$1" "$2" || probe "$1" "$2"; }

measure() { # server
    local rate=2000 low=0 high=0
    best="0 - - - -"
    probe "$1" $slow || true
    alone=$delay
    if [ "$done" = 0 ]; then
        echo "$1 answers nothing; see $folder" >&2
        return
    fi
    keep() {
        low=$1
        [ "$((done / seconds))" -lt "${best%% *}" ] || best="$((done / seconds)) $delay $cpu $syncs $synced"
    }
    while [ $rate -le 256000 ]; do
        if passes "$1" $rate; then keep $rate; else
            high=$rate
            break
        fi
        rate=$((rate * 2))
    done
    [ $high -gt 0 ] || high=$((low * 2))
    while [ $((high - low)) -gt $((high / 20)) ]; do
        rate=$(((low + high) / 2))
        if passes "$1" $rate; then keep $rate; else high=$rate; fi
    done
}

row() { printf '%-9s %9s %10s %10s %10s %8s %9s %9s  %s\n' "$@"; }
table=$results/table
{
    echo "$(nproc) processors, $(awk '/MemTotal/ { print int($2 / 1048576) }' /proc/meminfo) GiB, Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg) before"
    "$results/fsync" "$results/fsync.file"
} > "$table"
rm -f "$results/fsync.file"
[ -n "${QUIET:-}" ] || cat "$table" >&2
append() { tee -a "$table" > "$([ -n "${QUIET:-}" ] && echo /dev/null || echo /dev/stderr)"; }

with_perfdhcp() {
    local server
    {
        row "" exchanges "ms to ACK" "ms to ACK" "us cpu per" "syncs" "ACKs per" "memory" ""
        row server "a second" "at $slow/s" "at peak" exchange "a second" sync MiB durability
    } | append
    for server in "${servers[@]}"; do
        start_server "$server"
        measure "$server"
        read -r peak at_peak spent syncs synced <<< "$best"
        memory=$(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$server_pid/status" 2> /dev/null || echo -)
        per_sync=- per_second=-
        if [ "$syncs" != - ] && [ "$syncs" -gt 0 ]; then
            per_sync=$((synced / syncs)) per_second=$((syncs / seconds))
        fi
        progress ""
        row "$server" "$peak" "$alone" "$at_peak" "$spent" "$per_second" "$per_sync" "$memory" "$(server_durability "$server")" | append
        stop_server
    done
}

with_load() {
    local server
    load_up
    { echo; load_head; } | append
    for server in "${servers[@]}"; do
        case $server in
            echo | tandem | kea* | dhcpd)
                load_measure "$server"
                load_lines "$server" | append
                ;;
        esac
    done
}

case " $parts " in *" perfdhcp "*) with_perfdhcp ;; esac
case " $parts " in *" load "*) with_load ;; esac

figures=$target/release/figures
if [[ " $parts " = *" figures "* ]] && [ -x "$figures" ]; then
    {
        for kind in plain full; do
            "$figures" memory $kind "$leases" | awk -v kind=$kind '/^memory/ { print $1 "-" kind, $2, $3 }'
            "$figures" start $kind "$leases" "$results/start-$kind" | awk -v kind=$kind '/^start/ { print $1 "-" kind, $2, $3 }'
            rm -rf "$results/start-$kind"
        done
        "$figures" allocations
        "$figures" pool "$leases"
        "$figures" expiry "$leases"
        "$figures" subnets 10000 100000
        "$figures" relationships 200
        "$figures" updates "$leases"
    } > "$results/figures"
    {
        echo
        echo "engine alone with $leases leases, and start from a store with them:"
        awk '/^memory|^start/ { printf "  %-28s %8s %s\n", $1, $2, $3 }' "$results/figures"
        echo "allocations from the packet to its reply:"
        awk '/^allocations/ { printf "  %-28s %8s %s\n", $1, $2, $3 }' "$results/figures"
        echo "what grows and must not cost:"
        awk '/^(pool|expiry|subnets|relationships|updates)/ { printf "  %-28s %8s %s\n", $1, $2, $3 }' "$results/figures"
    } >> "$table"
fi
[ -n "${QUIET:-}" ] && cat "$table"
[ -n "${QUIET:-}" ] || { echo >&2; cat "$table"; echo "all of it: $results" >&2; }
