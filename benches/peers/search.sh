# The highest rate at which perfdhcp has its exchanges completed: measure SERVER writes one line to $results/rates, as `rates_head` names
# its columns, and every step to $folder/steps.
# Needs: space.sh, servers.sh, pairs.sh, seconds, slow, results, tandem, folder, pids, runs, progress, settle, processor.
rates_head="server exchanges alone-ms peak-ms cpu-ns cpu-server-ns cpu-partner-ns syncs synced memory waiting why"
rate_least=32 rate_most=256000

counter() { sed -n "s/^ *\"$1\": \([0-9]*\).*/\1/p" "$2" | head -1; }

# What each tandem counted, before or after a step.
ask() { # word
    local number
    for number in "${!controls[@]}"; do
        "$tandem" status --json -c "${controls[$number]}" > "$folder/$1.$number" 2>> "$folder/output" || true
    done
}

# How much a counter grew in all of them.
grew() { # counter
    local number from to sum=0
    for number in "${!controls[@]}"; do
        from=$(counter "$1" "$folder/before.$number") to=$(counter "$1" "$folder/after.$number")
        [ -n "$from" ] && [ -n "$to" ] || return 0
        sum=$((sum + to - from))
    done
    echo $sum
}

# Bindings that the servers of a pair have not told each other yet, or that are not acknowledged.
behind() {
    local number queued unacked sum=0
    for number in "${!controls[@]}"; do
        queued=$(counter queued "$folder/end.$number") unacked=$(counter unacked "$folder/end.$number")
        [ -n "$queued" ] && [ -n "$unacked" ] || { echo -; return; }
        sum=$((sum + queued + unacked))
    done
    echo $sum
}

statistics() { # exchange, words at the beginning of the line
    awk -v exchange="$1" -v words="$2" '
        $0 ~ "^[*]+Statistics for: " exchange { found = 1 }
        found && index($0, words) == 1 { print $3; exit }' "$folder/perfdhcp"
}

# One step at a rate: sets sent and done (exchanges), delay (ms to the ACK), cpu and cpu_each (ns for an exchange, together and of each
# server), syncs and synced (ACKs), waiting (what `behind` says half a second after the last DISCOVER), normal (whether a pair is in NORMAL
# after it). What a server does after the last answer belongs to the step: the partner is told, what waited is worked off.
probe() { # server, rate
    local before=() after=() number spent
    ask before
    mapfile -t before < <(processor)
    runs ip netns exec "$client_space" timeout 60 perfdhcp -4 -l pc0 -r "$2" -R "$clients" -p "$seconds" -W 500000 \
        "$server_address" > "$folder/perfdhcp" 2>&1 || true
    waiting=-
    if is_pair "$1" && [ ${#controls[@]} -gt 0 ]; then
        ask end
        waiting=$(behind)
    fi
    settle 10
    mapfile -t after < <(processor)
    ask after
    sent=$(statistics DISCOVER-OFFER "sent packets") done=$(statistics REQUEST-ACK "received packets")
    delay=$(statistics REQUEST-ACK "avg delay")
    sent=${sent:-0} done=${done:-0} delay=${delay:--} cpu=- cpu_each=(- -) syncs=- synced=-
    [[ $delay =~ ^[0-9.]+$ ]] || delay=-
    if [ "$done" -gt 0 ]; then
        cpu=0
        for number in "${!after[@]}"; do
            spent=$(((after[number] - before[number]) / done))
            cpu_each[number]=$spent
            cpu=$((cpu + spent))
        done
        if [ ${#controls[@]} -gt 0 ]; then
            syncs=$(grew syncs) synced=$(grew replies-after-sync)
            syncs=${syncs:--} synced=${synced:--}
        fi
    fi
    normal=-
    if is_pair "$1"; then if pair_is_normal "$1" "$folder"; then normal=yes; else normal=no; fi; fi
    echo "$2 $sent $done $delay $cpu ${cpu_each[*]} $syncs $synced $waiting $normal" >> "$folder/steps"
    progress "$1 at $2/s: $((done / seconds)) exchanges a second, $delay ms to the ACK"
    if [ $normal = no ]; then
        left_normal=$((left_normal + 1))
        pair_wait "$1" 120 || true
        return 1
    fi
    [ $((done * 100)) -ge $((sent * 97)) ] && [ $((sent * 100)) -ge $(($2 * seconds * 80)) ]
}

keep() { # rate
    low=$1
    [ "$((done / seconds))" -lt "${best%% *}" ] ||
        best="$((done / seconds)) $delay $cpu ${cpu_each[*]} $syncs $synced $waiting"
}

# A step that failed is tried once more: something else may have had the processor.
passes() { probe "$1" "$2" || probe "$1" "$2"; }

# Between the highest rate that passed and the lowest that failed, to 3 %.
bisect() { # server, command that tries a rate
    local rate
    while [ $((high - low)) -gt $((high * 3 / 100)) ] && [ $high -gt $rate_least ]; do
        rate=$(((low + high) / 2))
        if "$2" "$1" $rate; then keep $rate; else high=$rate; fi
    done
}

search() { # server
    local rate=2000 low=0 high=0
    best="0 - - - - - - -" left_normal=0 alone=-
    if probe "$1" $slow; then alone=$delay; fi
    while [ $rate -le $rate_most ]; do
        if passes "$1" $rate; then keep $rate; else
            high=$rate
            break
        fi
        rate=$((rate * 2))
    done
    [ $high -gt 0 ] || high=$((low * 2))
    bisect "$1" passes
    # Best of three: twice more from what was reached, each time from a sixth above it down.
    for _ in 2 3; do
        [ $low -gt 0 ] || break
        high=$((low * 7 / 6 + 1))
        bisect "$1" probe
    done
}

measure() { # server; one line in $results/rates
    local memory why=-
    search "$1"
    memory=$(for pid in "${pids[@]}"; do cat "/proc/$pid/status" 2> /dev/null; done | awk '/VmRSS/ { sum += $2 } END { print int(sum / 1024) }')
    [ "${best%% *}" -gt 0 ] || why="no rate passed; see $folder"
    live || why="ended under the load; see $folder"
    [ "$left_normal" = 0 ] || why="not in NORMAL after $left_normal of its steps, which do not count"
    local peak at_peak spent spent_server spent_partner its_syncs its_synced its_waiting
    read -r peak at_peak spent spent_server spent_partner its_syncs its_synced its_waiting <<< "$best"
    echo "$1 $peak $alone $at_peak $spent $spent_server $spent_partner $its_syncs $its_synced $memory $its_waiting $why" >> "$results/rates"
}
