# The own generator (`load`, in benches/src/bin): a relays' wire, 192.168.99.1 to .2, with a /18 of 10.64.0.0/10 behind each relay,
# and a clients' wire in 10.128.0.0/9. Server on one processor, generator on another. The partner of a tandem has wires of its own, to .3,
# and the same processor as its server. load_measure SERVER writes a line for each phase to $results/loads, as `loads_head` names its columns.
# Needs: space.sh, servers.sh, pairs.sh, results, target, tandem, many, seconds, runs, progress, start_command, stop_server.
loads_head="server work clients asked answered a-second p50-us p99-us cpu-ns syncs synced all-bound-ms why"
relays=${RELAYS:-64}
share=${SHARE:-50} # of a hundred clients, so many are on the wire itself
window=${WINDOW:-1024}
avalanche=${AVALANCHE:-100000}
load_seconds=100 # in which one run of the generator must end
patience=20 # seconds in which all clients are to be bound; a slow server has fewer of them
stand_still=${STAND_STILL:-0} # seconds for which the server stands still (SIGSTOP) while the avalanche begins
stands_still=0
begins_at= # when the second phase of a run begins, seconds since 1970
server_processor=1 client_processor=0
[ "$(nproc)" -gt 1 ] || server_processor=0

load_is_up=
load_up() {
    [ -z "$load_is_up" ] || return 0
    load_is_up=1
    server_address=192.168.99.2
    ip -n "$client_space" address flush dev pc0
    ip -n "$server_space" address flush dev ps0
    ip -n "$client_space" address add 192.168.99.1/24 dev pc0
    # Whatever is sent to a relay or to a client behind it is for this host.
    ip -n "$client_space" route add local 10.64.0.0/10 dev lo
    # A Kea that starts before does not listen there, and says so to nobody.
    load_wires "$server_space" 2 dc0
}

# What a server has of both wires, once its ps0 is there and has no address.
load_wires() { # space, last number of its addresses, the other end of its wire to the clients
    ip -n "$1" address add "192.168.99.$2/24" dev ps0
    ip -n "$1" route add 10.64.0.0/10 via 192.168.99.1
    ip link add "$3" netns "$client_space" type veth peer name ds0 netns "$1"
    ip -n "$1" address add "10.128.0.$2/9" dev ds0
    ip -n "$client_space" link set "$3" up
    ip -n "$1" link set ds0 up
    cable_up "$1" ds0
}

# Both servers hear what clients broadcast and what relays pass on: the generator sends it to each of them.
load_partner_up() {
    partner_space_up || return 1
    load_wires "$partner_space" 3 dc1
}

hardware() { ip -n "$1" -o link show "$2" | sed 's/.*link\/ether \([0-9a-f:]*\).*/\1/'; }

dotted() { echo "$(($1 >> 24 & 255)).$(($1 >> 16 & 255)).$(($1 >> 8 & 255)).$(($1 & 255))"; }

# Addresses of a pool behind a relay, and on the wire itself: a third more than clients.
routed_room() { echo $((clients * (100 - share) / 100 / relays * 4 / 3 + 16)); }
direct_room() { echo $((clients * share / 100 * 4 / 3 + 16)); }

# Subnets, one a line: prefix, netmask, first and last address of the pool.
load_subnets() {
    local relay base room
    room=$(routed_room)
    for relay in $(seq 0 $((relays - 1))); do
        base=$((0x0a400000 + (relay << 14)))
        echo "$(dotted $base)/18 255.255.192.0 $(dotted $((base + 16))) $(dotted $((base + 15 + room)))"
    done
    echo "10.128.0.0/9 255.128.0.0 10.128.0.16 $(dotted $((0x0a80000f + $(direct_room))))"
}

load_config() { # server; sets command
    local prefix mask first last comma=
    case $1 in
        tandem) load_tandem "$folder" ;;
        tandem-pair)
            load_tandem "$folder/a" primary $link_address $link_partner
            load_tandem "$folder/b" secondary $link_partner $link_address
            shared_size=$((relays * $(routed_room) + $(direct_room)))
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
        dnsmasq)
            rm -f "$folder/dnsmasq.leases"
            local option kept=()
            for option in "${command[@]}"; do
                case $option in
                    -F | "$pool_first"*) ;;
                    *) kept+=("$option") ;;
                esac
            done
            command=("${kept[@]}" -i ds0)
            while read -r prefix mask first last; do command+=(-F "$first,$last,$mask,4000"); done < <(load_subnets)
            ;;
        echo) share=0 ;;
        *) return 1 ;;
    esac
}

load_tandem() { # folder; for one of a pair its role, its address, that of the other
    local prefix mask first last
    {
        tandem_head "$1/state" '"ps0", "ds0"'
        [ $# = 1 ] || tandem_failover "${@:2}"
        load_subnets | while read -r prefix mask first last; do
            printf '\n[[subnet]]\nprefix = "%s"\nlease-time = "4000s"\n[[subnet.pool]]\nrange = "%s-%s"\n' "$prefix" "$first" "$last"
            [ $# = 1 ] || printf 'failover = "bench"\n'
        done
    } > "$1/tandem.toml"
    rm -rf "$1/state"
    mkdir -p "$1/state"
}

# Nanoseconds of processor so far, and for tandem what it counted: one line for each, after each phase; for a pair those of both together,
# when both have told each other all.
load_counters() { # server
    local spent control
    spent="cat $(printf '/proc/%s/task/*/schedstat ' "${pids[@]}")| awk '{ sum += \$1 } END { printf \"%.0f\\n\", sum }'"
    if is_pair "$1"; then
        echo "now=\$($spent); for _ in \$(seq 20); do last=\$now; sleep 0.5; now=\$($spent); [ \$((now - last)) -ge 25000000 ] || break; done"
    fi
    echo "echo counted cpu \$($spent)"
    [ ${#controls[@]} -gt 0 ] || return 0
    echo "{ $(for control in "${controls[@]}"; do echo "'$tandem' status --json -c '$control';"; done) } |" \
        "sed -n 's/^ *\"\\(syncs\\|replies-after-sync\\|batches\\|sync-micros\\|packets-received\\|packets-sent\\|packets-waited\\|receive-overflow\\|dropped-[a-z-]*\\|expiry\\|bndupd-acknowledged\\)\": \\([0-9]*\\).*/\\1 \\2/p' |" \
        "awk '{ sum[\$1] += \$2 } END { for (name in sum) printf \"counted %s %.0f\\n\", name, sum[name] }'"
}

# Lets the server stand still, once, after what it counted was asked.
load_stop() {
    [ "$stands_still" != 0 ] || return 0
    echo "[ -e '$folder/stood' ] || { : > '$folder/stood'; kill -STOP ${pids[*]}; (sleep $stands_still; kill -CONT ${pids[*]}) > /dev/null 2>&1 & }"
}

# Waits with the phase after the first until then, if somebody said when; all later ones follow at once.
load_pause() { [ -z "$begins_at" ] || echo "[ -e '$folder/paused' ] && sleep \$((\$(date +%s) < $begins_at ? $begins_at - \$(date +%s) : 0)); : > '$folder/paused'"; }

# Whether each of both has addresses for its half of the clients. They begin with half of all, a third more than that; after a run, what was
# given back is FREE or BACKUP as their balance has it, which need not be half again.
pair_has_room() { # name, folder
    pair_is_shared "$@" && return
    local free backup
    free=$(counter free "$2/a/shared") backup=$(counter backup "$2/a/shared")
    [ "${free:-0}" -ge $((shared_size * 40 / 100)) ] && [ "${backup:-0}" -ge $((shared_size * 40 / 100)) ]
}

load_run() { # server, file, clients, PHASE...; why it failed is in file.why
    local server=$1 file=$2 count=$3 wires
    shift 3
    wires=(--direct "dc0,10.128.0.2,$(hardware "$server_space" ds0)" --routed "pc0,192.168.99.2,$(hardware "$server_space" ps0)")
    if is_pair "$server"; then
        wires+=(--partner-direct "dc1,10.128.0.3,$(hardware "$partner_space" ds0)"
            --partner-routed "pc1,192.168.99.3,$(hardware "$partner_space" ps0)")
        if ! pair_wait "$server" 60 pair_has_room; then
            echo "not in NORMAL with addresses for all clients on both sides" > "$file.why"
            return 1
        fi
        settle 20
    fi
    { load_counters "$server"; load_stop; load_pause; } > "$folder/between"
    # A server that serves no direct clients has no use for the second wire, which is there all the same.
    runs ip netns exec "$client_space" taskset -c $client_processor timeout $load_seconds "$target/release/load" \
        "${wires[@]}" --clients "$count" --relays "$relays" --share "$share" --between "sh '$folder/between'" "$@" \
        > "$file" 2> "$file.why" || return 1
    if is_pair "$server" && ! pair_is_normal "$server" "$folder"; then
        echo "no longer in NORMAL after it" > "$file.why"
        return 1
    fi
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

# One line of $results/loads from a phase that ended.
load_line() { # server, work, clients, file, phase, number of it, kind of message
    local asked answered cpu syncs=- synced=- bound
    answered=$(load_value "$4" "$5" "$7" answered)
    if [ "${answered:-0}" -eq 0 ]; then
        load_failed "$1" "$2" "$4" "nothing was answered"
        return
    fi
    # Whoever had no OFFER asked, too.
    local first=discover
    [ -n "$(load_value "$4" "$5" discover sent)" ] || first=$7
    asked=$(($(load_value "$4" "$5" $first sent) - $(load_value "$4" "$5" $first again)))
    cpu=$(($(load_grew "$4" "$6" cpu) / answered))
    if [ ${#controls[@]} -gt 0 ]; then
        syncs=$(load_grew "$4" "$6" syncs) synced=$(load_grew "$4" "$6" replies-after-sync)
    fi
    bound=$(load_value "$4" "$5" all-bound-ms all-bound-ms)
    echo "$1 $2 $3 $asked $answered $(load_value "$4" "$5" "$7" a-second) $(load_value "$4" "$5" "$7" p50-us)" \
        "$(load_value "$4" "$5" "$7" p99-us) $cpu $syncs $synced ${bound:--} -" >> "$results/loads"
}

load_failed() { # server, work, file, why if nobody said it
    local why
    why=$(tail -1 "$3.why" 2> /dev/null)
    echo "$1 $2 - - - - - - - - - - ${why:-${4:-not done within $load_seconds s}}" >> "$results/loads"
}

load_measure() { # server
    local own_share=$share peak renewals count
    folder=$results/load-$1
    mkdir -p "$folder"
    server_command "$1" "$folder"
    load_config "$1"
    if is_pair "$1" && ! load_partner_up; then
        echo "$1 start - - - - - - - - - - no wires to a partner" >> "$results/loads"
        return
    fi
    [ "$clients" -le "$many" ] || clients=$many
    if start_command "$1" taskset -c $server_processor; then
        load_phases "$1"
    else
        echo "$1 start - - - - - - - - - - $(tail -1 "$folder/output" | cut -c 1-100)" >> "$results/loads"
    fi
    stop_server
    partner_down
    share=$own_share
}

load_phases() { # server
    progress "$1: as fast as answers come"
    local fast="bind:w$window:$patience" again="renew:w$window:5" away="release:w$window:$patience" half_bind half_renew
    if ! load_run "$1" "$folder/peak" "$clients" "$fast" "$again" "$away"; then
        load_failed "$1" bind "$folder/peak"
        return
    fi
    load_line "$1" bind "$clients" "$folder/peak" "$fast" 1 select
    load_line "$1" renew "$clients" "$folder/peak" "$again" 2 renew
    peak=$(load_value "$folder/peak" "$fast" select a-second) renewals=$(load_value "$folder/peak" "$again" renew a-second)
    half_bind="bind:$((${peak:-0} / 2 + 1)):5" half_renew="renew:$((${renewals:-0} / 2 + 1)):5"
    progress "$1: half as fast"
    if load_run "$1" "$folder/half" "$clients" "$half_bind" "$half_renew" "$away"; then
        load_line "$1" bind-half "$clients" "$folder/half" "$half_bind" 1 select
        load_line "$1" renew-half "$clients" "$folder/half" "$half_renew" 2 renew
    else
        load_failed "$1" bind-half "$folder/half"
    fi
    # As many as it binds in ten seconds, if that is less.
    count=$((${peak:-0} * 10 + 100))
    [ "$count" -lt "$avalanche" ] || count=$avalanche
    [ "$count" -lt "$clients" ] || count=$clients
    progress "$1: $count clients at once"
    stands_still=$stand_still
    if load_run "$1" "$folder/avalanche" "$count" avalanche; then
        [ ${#controls[@]} = 0 ] || load_lost "$1" >> "$results/lost"
        load_line "$1" avalanche "$count" "$folder/avalanche" avalanche 1 select
    else
        load_failed "$1" avalanche "$folder/avalanche"
    fi
    stands_still=0
}

# Who lost what in the avalanche. What left here and is not among the packets received was dropped by the buffers of the server, which
# count it, or on the way; what it sent and nobody heard was lost on the way, or by the generator.
load_lost() { # server
    local file=$folder/avalanche sent heard received overflow answered
    sent=$(load_value "$file" avalanche clients-bound sent) heard=$(load_value "$file" avalanche clients-bound heard)
    received=$(load_grew "$file" 1 packets-received) answered=$(load_grew "$file" 1 packets-sent)
    overflow=$(load_grew "$file" 1 receive-overflow)
    echo "$1 avalanche: sent $sent, of these dropped by the server's buffers $overflow, lost before $((sent - received - overflow));" \
        "waited $(load_grew "$file" 1 packets-waited), said again while they waited $(load_grew "$file" 1 dropped-repeated)," \
        "no room $(load_grew "$file" 1 dropped-overload), too old $(load_grew "$file" 1 dropped-too-old);" \
        "answers $answered, of these lost before they were heard $((answered - heard))"
}
