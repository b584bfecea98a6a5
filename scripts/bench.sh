#!/usr/bin/env bash
# What Tandem costs, and other servers beside it in the same run: exchanges a second, time to the ACK, processor, syncs, memory,
# allocations, and how far each target of docs/performance.md was reached. It measures and asserts nothing.
#   scripts/bench.sh [SERVER...]    echo tandem tandem-pair kea1 kea2 keamem kea-ha dhcpd dhcpd-pair dnsmasq
#                                   (default: all but kea1 and keamem)
# Environment: PARTS ("perfdhcp load figures expiry": what is measured), SECONDS_PER_STEP (3), CLIENTS (200000, the most), LEASES (1000000, for
# memory, start and expiry), MORE_LEASES (10000000, for memory and start once more; 0: not at all; left out where less than 4 GiB are free), RELAYS (64), SHARE (50: percent of clients on the wire), WINDOW (1024), AVALANCHE (100000), STAND_STILL (0: seconds for which a
# server is stopped while the avalanche begins), TANDEM (a binary to measure instead of building one), QUIET=1 (no progress). Progress
# goes to a terminal only; the tables go to standard output, and as markdown to target/bench/table.md.
# First the load is perfdhcp in a namespace of its own, as a relay with so many clients; with a pair, as a relay that sends to both. The
# rate is doubled until, twice in a row, more than 3 % of the exchanges that were begun fail or perfdhcp itself cannot begin 80 % of what
# it was asked to; then it is bisected to 3 %, and twice more from a sixth above what was reached. The peak is the best that passed. On a
# machine that does other things too, compare the servers of one run with each other, and with echo, never with another run. Then our
# own generator, which shows the server's limit and not its own: as fast as answers come, half as fast, and all clients at once.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${SECONDS_PER_STEP:-3} many=${CLIENTS:-200000} leases=${LEASES:-1000000}
slow=1000 # exchanges a second at which the time to the ACK is that of one client alone
servers=("$@")
[ $# -gt 0 ] || servers=(echo tandem tandem-pair kea2 kea-ha dhcpd dhcpd-pair dnsmasq)
parts=${PARTS:-perfdhcp load figures expiry}
here=$PWD/benches/peers
target=${CARGO_TARGET_DIR:-$PWD/target}
results=$target/bench
. benches/peers/space.sh
. benches/peers/servers.sh
. benches/peers/pairs.sh
. benches/peers/run.sh
. benches/peers/search.sh
. benches/peers/load.sh
. benches/peers/figures.sh
. benches/peers/expiry.sh
. benches/peers/table.sh

if [ "$(id -u)" != 0 ]; then
    echo "bench: root is needed for namespaces, port 67 and Debian packages" >&2
    exit 1
fi
if [ "$many" -gt "$clients_most" ]; then
    echo "bench: at most $clients_most clients, for the pools have so many addresses and a third more" >&2
    exit 2
fi
packages=(iproute2 iptables kea-admin gcc libc6-dev)
for server in "${servers[@]}"; do
    case " $servers_known " in
        *" $server "*) ;;
        *)
            echo "no such server: $server ($servers_known)" >&2
            exit 2
            ;;
    esac
    case $server in
        kea*) packages+=(kea-dhcp4-server) ;;
        dhcpd*) packages+=(isc-dhcp-server) ;;
        dnsmasq) packages+=(dnsmasq-base) ;;
    esac
done
bash scripts/setup.sh "${packages[@]}" >&2
if [ -z "${TANDEM:-}" ]; then
    say "building"
    cargo build --release --locked --quiet -p tandem -p benches
fi
tandem=${TANDEM:-$target/release/tandem}

rm -rf "$results"
mkdir -p "$results"
: > "$results/rates"
: > "$results/loads"
cc -O2 -o "$results/fsync" "$here/fsync.c"
trap 'stop_server; space_down; rm -rf "$results/store" "$results"/expiry-*/state "$results/fsync.file"' EXIT
trap 'exit 130' INT TERM HUP
space_up

{
    echo "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) processors," \
        "$(awk '/MemTotal/ { print int($2 / 1048576) }' /proc/meminfo) GiB, $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)," \
        "Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg) before"
    runs "$results/fsync" "$results/fsync.file"
} > "$results/machine"
rm -f "$results/fsync.file"
say "$(cat "$results/machine")"
say "about $(minutes) minutes"

with_perfdhcp() {
    local server
    for server in "${servers[@]}"; do
        folder=$results/$server
        mkdir -p "$folder"
        server_command "$server" "$folder"
        if is_pair "$server" && ! partner_up; then
            echo "$server 0 - - - - - - - - - this kernel does not copy packets to a partner" >> "$results/rates"
        elif start_command "$server"; then
            measure "$server"
        else
            echo "$server 0 - - - - - - - - - does not serve; see $folder" >> "$results/rates"
        fi
        stop_server
        partner_down
        say "$server: $(rate "$server" exchanges) exchanges a second"
    done
}

with_load() {
    local server
    load_up
    for server in "${servers[@]}"; do
        # The other pairs have no configuration with so many subnets here.
        if is_pair "$server" && [ "$server" != tandem-pair ]; then continue; fi
        load_measure "$server"
        say "$server: $(loaded "$server" bind a-second) times DISCOVER to ACK a second"
    done
}

case " $parts " in *" perfdhcp "*) with_perfdhcp ;; esac
case " $parts " in *" load "*) with_load ;; esac
figures=$target/release/figures
if [[ " $parts " = *" figures "* ]] && [ -x "$figures" ]; then with_figures; fi
if [[ " $parts " = *" expiry "* ]] && [ -x "$figures" ]; then with_expiry; fi

progress ""
print_tables markdown > "$results/table.md"
print_tables terminal
if [ -s "$results/figures.table" ]; then
    echo
    cat "$results/figures.table"
fi
say "all of it: $results; as markdown: $results/table.md"
