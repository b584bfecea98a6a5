# The own generator (`load`, in benches/src/bin): a relays' wire, 192.168.99.1 to .2, with a /18 of 10.64.0.0/10 behind each relay,
# and a clients' wire in 10.128.0.0/9. Server on one processor, generator on another.
# Needs: space.sh, servers.sh, results, target, tandem, many, say, row's format; gives load_measure and load_row.
relays=${RELAYS:-64}
share=${SHARE:-50} # of a hundred clients, so many are on the wire itself
window=${WINDOW:-1024}
avalanche=${AVALANCHE:-100000}
stand_still=${STAND_STILL:-0} # seconds for which the server stands still (SIGSTOP) while the avalanche begins
stands_still=0
server_processor=1 client_processor=0
[ "$(nproc)" -gt 1 ] || server_processor=0

load_up() {
    server_address=192.168.99.2
    ip -n "$client_space" address flush dev pc0
    ip -n "$server_space" address flush dev ps0
    ip -n "$client_space" address add 192.168.99.1/24 dev pc0
    ip -n "$server_space" address add $server_address/24 dev ps0
    # Whatever is sent to a relay or to a client behind it is for this host.
    ip -n "$client_space" route add local 10.64.0.0/10 dev lo
    ip -n "$server_space" route add 10.64.0.0/10 via 192.168.99.1
    ip link add dc0 netns "$client_space" type veth peer name ds0 netns "$server_space"
    ip -n "$server_space" address add 10.128.0.2/9 dev ds0
    ip -n "$client_space" link set dc0 up
    ip -n "$server_space" link set ds0 up
}

hardware() { ip -n "$server_space" -o link show "$1" | sed 's/.*link\/ether \([0-9a-f:]*\).*/\1/'; }

dotted() { echo "$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"; }

# Subnets, one a line: prefix, netmask, first and last address of the pool. A third more addresses than clients.
load_subnets() {
    local relay base room=$((clients * (100 - share) / 100 / relays * 4 / 3 + 16))
    for relay in $(seq 0 $((relays - 1))); do
        base=$((0x0a400000 + (relay << 14)))
        echo "$(dotted $base)/18 255.255.192.0 $(dotted $((base + 16))) $(dotted $((base + 15 + room)))"
    done
    echo "10.128.0.0/9 255.128.0.0 10.128.0.16 $(dotted $((0x0a80000f + clients * share / 100 * 4 / 3 + 16)))"
}

load_config() { # server; sets command
    local prefix mask first last comma=
    case $1 in
        tandem)
            {
                printf 'interfaces = ["ps0", "ds0"]\nstate-directory = "%s/state"\nclock-wait = "0s"\n' "$folder"
                load_subnets | while read -r prefix mask first last; do
                    printf '\n[[subnet]]\nprefix = "%s"\nlease-time = "4000s"\n[[subnet.pool]]\nrange = "%s-%s"\n' "$prefix" "$first" "$last"
                done
            } > "$folder/tandem.toml"
            rm -rf "$folder/state"
            mkdir -p "$folder/state"
            command=("$tandem" serve -c "$folder/tandem.toml")
            ;;
        kea*)
            {
                sed -e '/"subnet4"/d' -e 's/"interfaces": \["ps0"\], "dhcp-socket-type": "udp"/"interfaces": ["ps0", "ds0"], "dhcp-socket-type": "raw"/' -e '/"loggers"/,$d' "$folder/kea.json"
                echo '  "subnet4": ['
                load_subnets | while read -r prefix mask first last; do
                    echo "    $comma{\"subnet\": \"$prefix\", \"pools\": [{\"pool\": \"$first-$last\"}]}"
                    comma=,
                done
                echo '  ],'
                sed -n '/"loggers"/,$p' "$folder/kea.json"
            } > "$folder/load.json"
            rm -f "$folder"/kea.csv*
            command=("${command[@]/kea.json/load.json}")
            ;;
        dhcpd)
            {
                sed '/^subnet/d' "$folder/dhcpd.conf"
                echo 'subnet 192.168.99.0 netmask 255.255.255.0 { }'
                load_subnets | while read -r prefix mask first last; do
                    echo "subnet ${prefix%/*} netmask $mask { range $first $last; }"
                done
            } > "$folder/load.conf"
            : > "$folder/dhcpd.leases"
            command=("${command[@]/dhcpd.conf/load.conf}" ds0)
            ;;
        echo) share=0 ;;
        *) return 1 ;;
    esac
}

# Nanoseconds of processor so far, and for tandem what it counted: one line, after each phase.
load_counters() {
    echo "awk '{ sum += \$1 } END { printf \"counted cpu %.0f\\n\", sum }' /proc/$server_pid/task/*/schedstat"
    [ "$1" = tandem ] || return 0
    echo "'$tandem' status --json -c '$folder/tandem.toml' | sed -n 's/^ *\"\\(syncs\\|replies-after-sync\\|batches\\|sync-micros\\|packets-received\\|packets-sent\\|packets-waited\\|receive-overflow\\|dropped-[a-z-]*\\)\": \\([0-9]*\\).*/counted \\1 \\2/p'"
}

# Lets the server stand still, once, after what it counted was asked.
load_stop() {
    [ "$stands_still" != 0 ] || return 0
    echo "[ -e '$folder/stood' ] || { : > '$folder/stood'; kill -STOP $server_pid; (sleep $stands_still; kill -CONT $server_pid) > /dev/null 2>&1 & }"
}

load_run() { # server, file, clients, PHASE...
    local server=$1 file=$2 count=$3
    shift 3
    # A server that serves no direct clients has no use for the second wire, which is there all the same.
    ip netns exec "$client_space" taskset -c $client_processor timeout 600 "$target/release/load" \
        --direct "dc0,10.128.0.2,$(hardware ds0)" --routed "pc0,192.168.99.2,$(hardware ps0)" \
        --clients "$count" --relays "$relays" --share "$share" --between "$(load_counters "$server"; load_stop)" "$@" > "$file" 2>> "$folder/output"
}

# What a line of a run says: the value behind a word.
load_value() { # file, phase, kind, word
    awk -v phase="$2" -v kind="$3" -v word="$4" '$1 == phase && (kind == "" || $2 == kind) {
        for (i = 2; i < NF; i++) if ($i == word) { print $(i + 1); exit } }' "$1"
}

# How much a count grew during a phase, the first of a run being 1.
load_grew() { # file, number of phase, counter
    awk -v number="$2" -v counter="$3" '$1 == "counted" && $2 == counter { at++; value[at] = $3 }
        END { printf "%.0f\n", value[number + 1] - value[number] }' "$1"
}

load_measure() { # server; writes to $folder
    local own_share=$share
    folder=$results/load-$1
    mkdir -p "$folder"
    server_command "$1" "$folder"
    load_config "$1"
    [ "$clients" -le "$many" ] || clients=$many
    start_command "$1" taskset -c $server_processor
    load_run "$1" "$folder/peak" "$clients" "bind:w$window:60" "renew:w$window:5" "release:w$window:60"
    peak=$(load_value "$folder/peak" "bind:w$window:60" select a-second)
    renewals=$(load_value "$folder/peak" "renew:w$window:5" renew a-second)
    load_run "$1" "$folder/half" "$clients" "bind:$((peak / 2 + 1)):5" "renew:$((renewals / 2 + 1)):5" "release:w$window:60"
    stands_still=$stand_still
    load_run "$1" "$folder/avalanche" "$((avalanche < clients ? avalanche : clients))" avalanche
    stands_still=0
    stop_server
    share=$own_share
}

load_lines() { # server: what load_measure found
    local phase number file kind
    while read -r file phase number kind; do
        local answered cpu syncs synced
        answered=$(load_value "$folder/$file" "$phase" "$kind" answered)
        [ "${answered:-0}" -gt 0 ] || continue
        cpu=$(($(load_grew "$folder/$file" "$number" cpu) / answered / 10))
        syncs=- synced=-
        if [ "$1" = tandem ]; then
            syncs=$(load_grew "$folder/$file" "$number" syncs)
            synced=$(($(load_grew "$folder/$file" "$number" replies-after-sync) / (syncs > 0 ? syncs : 1)))
        fi
        printf '%-8s %-22s %9s %9s %8s %8s %9s %8s.%02d %7s %7s\n' "$1" "$phase" "$answered" \
            "$(load_value "$folder/$file" "$phase" "$kind" a-second)" "$(load_value "$folder/$file" "$phase" "$kind" dropped)" \
            "$(load_value "$folder/$file" "$phase" "$kind" p50-us)" "$(load_value "$folder/$file" "$phase" "$kind" p99-us)" \
            $((cpu / 100)) $((cpu % 100)) "$syncs" "$synced"
    done <<TEXT
peak bind:w$window:60 1 select
peak renew:w$window:5 2 renew
half bind:$((peak / 2 + 1)):5 1 select
half renew:$((renewals / 2 + 1)):5 2 renew
avalanche avalanche 1 select
TEXT
    [ "$1" != tandem ] || load_lost
    awk -v server="$1" '$1 == "avalanche" && $2 == "all-bound-ms" { print server, "avalanche: all had asked after", $5, "ms, half were bound within", $7, "ms, all after", $3, "ms" }' \
        "$folder/avalanche"
}

# Who lost what in the avalanche. What left here and is not among the packets received was dropped by the buffers of the server, which
# count it, or on the way; what it sent and nobody heard was lost on the way, or by the generator.
load_lost() {
    local file=$folder/avalanche sent heard received overflow answered
    sent=$(load_value "$file" avalanche clients-bound sent) heard=$(load_value "$file" avalanche clients-bound heard)
    received=$(load_grew "$file" 1 packets-received) answered=$(load_grew "$file" 1 packets-sent)
    overflow=$(load_grew "$file" 1 receive-overflow)
    echo "tandem avalanche: sent $sent, of these dropped by the server's buffers $overflow, lost before $((sent - received - overflow));" \
        "waited $(load_grew "$file" 1 packets-waited), said again while they waited $(load_grew "$file" 1 dropped-repeated)," \
        "no room $(load_grew "$file" 1 dropped-overload), too old $(load_grew "$file" 1 dropped-too-old);" \
        "answers $answered, of these lost before they were heard $((answered - heard))"
}

load_head() {
    printf '%-8s %-22s %9s %9s %8s %8s %9s %11s %7s %7s\n' server "work:pace:seconds" ACKs "a second" dropped "p50 us" "p99 us" "us cpu" syncs "ACKs/sync"
}
