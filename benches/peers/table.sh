# What was measured, for people: tables of $results/rates, $results/loads and $results/expiries, and the targets of docs/performance.md with
# what they came to. Written for a terminal, or as markdown. It measures nothing: it can be run again over old results.
# Needs: results, seconds, slow, the heads of these files, load_grew, figure_of, expiries_cells.

# docs/performance.md, "What is to be reached": percent, or as many times, or ms.
least_of_echo=85 least_of_kea=2 least_of_single=80 most_cpu_of_echo=1.6 least_of_kea_load=5 most_p99_ms=2
least_renewals=150000 least_binds=60000 # a second on one processor: one of the two
most_avalanche=1.2 # times clients / peak
most_start_ms=500 most_memory_mib=200 least_updates=100000 most_call_ms=10 # with a million leases
most_pause_ms=10
most_full=1.2 most_grown=1.0 # times what it costs where there is room, or where there is one

# A value of a line: file, its head, the words that the line begins with, column.
value() {
    awk -v head="$2" -v words="$3 " -v column="$4" 'BEGIN { count = split(head, names, " ") }
        index($0, words) == 1 { for (i = 1; i <= count; i++) if (names[i] == column) print $i; exit }' "$1" 2> /dev/null
}
rate() { value "$results/rates" "$rates_head" "$1" "$2"; }
loaded() { value "$results/loads" "$loads_head" "$1 $2" "$3"; }

# a / b * factor with so many digits behind the point; "-" where one of them was not measured.
ratio() { # a, b, factor, digits
    awk -v a="${1:--}" -v b="${2:--}" -v factor="$3" -v digits="$4" 'BEGIN {
        if (a == "-" || b == "-" || b + 0 == 0) print "-"; else printf "%.*f\n", digits, a / b * factor }'
}

# Lines of cells with | between them, the first of them the head: as a table for a terminal, or as markdown.
as_table() { # terminal or markdown
    awk -F '|' -v kind="$1" '
        { for (i = 1; i <= NF; i++) { gsub(/^ +| +$/, "", $i); cell[NR, i] = $i; if (length($i) > width[i]) width[i] = length($i) } columns = NF }
        END {
            for (row = 1; row <= NR; row++) {
                line = ""
                for (i = 1; i <= columns; i++) {
                    if (kind == "markdown") line = line "| " cell[row, i] " "
                    else line = line sprintf(i == 1 || i == columns || cell[1, i] == "work" ? "%-*s  " : "%*s  ", width[i], cell[row, i])
                }
                sub(/ +$/, "", line)
                print kind == "markdown" ? line " |" : line
                if (kind == "markdown" && row == 1) { for (i = 1; i <= columns; i++) printf "| --- "; print "|" }
            }
        }'
}

rates_cells() {
    local server peak alone at_peak spent server_spent partner_spent syncs synced memory waiting why
    local base base_cpu kea of_echo per_second note
    base=$(rate echo exchanges) base_cpu=$(rate echo cpu-ns) kea=$(rate kea2 exchanges)
    echo "server|exchanges/s|of echo|of kea2|ms at $slow/s|ms at peak|us cpu|of echo|syncs/s|ACKs/sync|MiB|what an ACK rests on"
    while read -r server peak alone at_peak spent server_spent partner_spent syncs synced memory waiting why; do
        per_second=- note=$(server_durability "$server") of_echo=$(times "$(ratio "$spent" "$base_cpu" 1 2)")
        [ "$syncs" = - ] || per_second=$((syncs / seconds))
        [ "$why" = - ] || note=$why
        is_pair "$server" || partner_spent=-
        spent=$(ratio "$spent" 1000 1 1)
        [ "$partner_spent" = - ] || spent="$spent ($(ratio "$server_spent" 1000 1 1) + $(ratio "$partner_spent" 1000 1 1))"
        echo "$server|$peak|$(percent "$(ratio "$peak" "$base" 100 1)")|$(times "$(ratio "$peak" "$kea" 1 2)")|$alone|$at_peak" \
            "|$spent|$of_echo|$per_second|$(ratio "$synced" "$syncs" 1 1)|$memory|$note"
    done < "$results/rates"
}
percent() { [ "$1" = - ] && echo - || echo "$1 %"; }
times() { [ "$1" = - ] && echo - || echo "$1 x"; }

loads_cells() {
    local server work clients asked answered a_second p50 p99 cpu syncs synced bound why kea note
    echo "server|work|clients|ACKs|unanswered|ACKs/s|of kea2|p50 ms|p99 ms|us cpu|syncs|ACKs/sync|"
    while read -r server work clients asked answered a_second p50 p99 cpu syncs synced bound why; do
        kea=- note=
        case $work in bind | renew) kea=$(loaded kea2 "$work" a-second) ;; esac
        [ "$bound" = - ] || note="all bound after $bound ms"
        [ "$why" = - ] || note=$why
        [ "$asked" = - ] || asked=$((asked > answered ? asked - answered : 0))
        echo "$server|$(work_name "$work")|$clients|$answered|$asked|$a_second|$(times "$(ratio "$a_second" "$kea" 1 2)")" \
            "|$(ratio "$p50" 1000 1 2)|$(ratio "$p99" 1000 1 2)|$(ratio "$cpu" 1000 1 1)|$syncs|$(ratio "$synced" "$syncs" 1 1)|$note"
    done < "$results/loads"
}
work_name() {
    case $1 in
        bind) echo "DISCOVER to ACK, as fast as answers come" ;;
        renew) echo "renewal, as fast as answers come" ;;
        bind-half) echo "DISCOVER to ACK, half as fast" ;;
        renew-half) echo "renewal, half as fast" ;;
        avalanche) echo "all ask at once" ;;
        *) echo "$1" ;;
    esac
}

# One target: what it is, what it must be, the figure, "least" or "most".
target_cells() {
    local verdict="not measured" unit=${5:+ $5}
    if [ "${4:--}" != - ]; then
        verdict=$(awk -v figure="$4" -v bound="$3" -v kind="$2" 'BEGIN {
            if (figure == "infinite") print "short"; else print (kind == "least" ? figure >= bound : figure <= bound) ? "reached" : "short" }')
    fi
    echo "$1|at $2 $3$unit|${4:--}$([ "${4:--}" = - ] || echo "$unit")|$verdict"
}

targets_cells() {
    local syncs work pause=-
    echo "target|must be|is|"
    target_cells "tandem of echo, perfdhcp" least $least_of_echo "$(ratio "$(rate tandem exchanges)" "$(rate echo exchanges)" 100 1)" %
    target_cells "tandem of kea2, perfdhcp" least $least_of_kea "$(ratio "$(rate tandem exchanges)" "$(rate kea2 exchanges)" 1 2)" x
    target_cells "tandem-pair of tandem, perfdhcp" least $least_of_single \
        "$(ratio "$(rate tandem-pair exchanges)" "$(rate tandem exchanges)" 100 1)" %
    target_cells "processor time of an exchange, tandem of echo" most $most_cpu_of_echo "$(ratio "$(rate tandem cpu-ns)" "$(rate echo cpu-ns)" 1 2)" x
    for work in bind renew; do
        target_cells "tandem of kea2, own generator: $(work_name $work)" least $least_of_kea_load \
            "$(ratio "$(loaded tandem $work a-second)" "$(loaded kea2 $work a-second)" 1 2)" x
    done
    for work in bind-half renew-half; do
        target_cells "99 of 100 ACKs within: $(work_name $work)" most $most_p99_ms "$(ninety_nine tandem $work)" ms
    done
    for work in bind renew; do
        syncs=$(loaded tandem $work syncs)
        target_cells "syncs: $(work_name $work)" least 1 "${syncs:--}" ""
    done
    speed_cells "$(loaded tandem renew a-second)" "$(loaded tandem bind a-second)"
    target_cells "avalanche: all bound, of clients / peak" most $most_avalanche \
        "$(ratio "$(ratio "$(loaded tandem avalanche all-bound-ms)" "$(loaded tandem avalanche clients)" 1 9)" \
            "$(ratio 1000 "$(loaded tandem bind a-second)" 1 9)" 1 2)" x
    if [ "$(value "$results/expiries" "$expiries_head" during ended)" -ge 1000000 ] 2> /dev/null; then
        pause=$(value "$results/expiries" "$expiries_head" during longest-us)
    fi
    target_cells "longest wait for an ACK while a million leases end in one second" most $most_pause_ms "$(ratio "$pause" 1000 1 2)" ms
    figures_cells
}

# What `figures` says; where a target is about a million leases, by that many only.
figures_cells() {
    local what
    target_cells "start with a million leases, by the clock" most $most_start_ms "$(of_million start-total-plain)" ms
    target_cells "memory of a million leases" most $most_memory_mib "$(of_million memory-resident-plain)" MiB
    target_cells "UPDREQALL of a million: bindings a second" least $least_updates "$(of_million updates-all-rate)" ""
    target_cells "longest call while a million leases end in one second" most $most_call_ms \
        "$(ratio "$(of_million expiry-longest-call-by-clock)" 1000 1 2)" ms
    target_cells "DISCOVER to ACK, last clients of a pool of first" most $most_full "$(grown pool-last-leases pool-first-leases)" x
    for what in renewal lease-again; do
        target_cells "10,000 subnets, 100,000 reservations of one subnet: $(figure_name $what)" most $most_grown \
            "$(grown subnets-many-$what subnets-one-$what)" x
    done
    target_cells "the same, a client with a reservation: $(figure_name lease-again)" most $most_grown \
        "$(grown subnets-many-reserved-lease subnets-one-lease-again)" x
    for what in renewal lease; do
        target_cells "200 relationships of one: $(figure_name $what)" most $most_grown "$(grown relationships-many-$what relationships-one-$what)" x
    done
}
figure_name() { [ "$1" = renewal ] && echo renewal || echo "DISCOVER to ACK"; }
grown() { ratio "$(figure_of "$1")" "$(figure_of "$2")" 1 2; }
of_million() { if [ "$(figure_of leases)" = 1000000 ]; then figure_of "$1"; fi; }

# Two figures of which one is enough.
speed_cells() { # renewals, DISCOVER to ACK
    local verdict="not measured"
    if [ "${1:--}" != - ] && [ "${2:--}" != - ]; then
        verdict=short
        if [ "$1" -ge $least_renewals ] || [ "$2" -ge $least_binds ]; then verdict=reached; fi
    fi
    echo "renewals, or times DISCOVER to ACK, a second on one processor|at least $least_renewals or $least_binds|${1:--} and ${2:--}|$verdict"
}

# The time within which 99 of 100 were answered; if fewer were, there is none.
ninety_nine() { # server, work
    local asked answered
    asked=$(loaded "$1" "$2" asked) answered=$(loaded "$1" "$2" answered)
    if [ "${asked:--}" != - ] && [ $((answered * 100)) -lt $((asked * 99)) ]; then
        echo infinite
    else
        ratio "$(loaded "$1" "$2" p99-us)" 1000 1 2
    fi
}

# What does not decide, and helps to read what does.
load_remarks() {
    local pair single told
    pair=$(loaded tandem-pair renew cpu-ns) single=$(loaded tandem renew cpu-ns)
    if [ "${pair:--}" != - ] && [ "${single:--}" != - ]; then
        told=$(load_grew "$results/load-tandem-pair/peak" 2 bndupd-acknowledged)
        echo "tandem-pair: both servers share the one processor that the others have for themselves. For a renewal both together take" \
            "$(ratio "$pair" 1000 1 1) us of processor, the partner told included; a single tandem takes $(ratio "$single" 1000 1 1) us:" \
            "$(ratio "$pair" "$single" 1 2) times as much. Of $(loaded tandem-pair renew answered) renewals the partner acknowledged $told."
    fi
}
remarks() {
    local busier single waiting
    if [ "$(rate tandem-pair exchanges)" -gt 0 ] 2> /dev/null; then
        single=$(rate tandem cpu-ns) busier=$(rate tandem-pair cpu-server-ns)
        [ "$busier" -ge "$(rate tandem-pair cpu-partner-ns)" ] || busier=$(rate tandem-pair cpu-partner-ns)
        if [ -n "$single" ]; then
            echo "tandem-pair: both servers and perfdhcp share $(nproc) processors. For an exchange both together take" \
                "$(ratio "$(rate tandem-pair cpu-ns)" "$single" 1 2) times the processor time of tandem," \
                "the busier of the two $(ratio "$busier" "$single" 1 2) times."
        fi
        waiting=$(rate tandem-pair waiting)
        echo "tandem-pair: half a second after the load of its best step, $waiting bindings were still to be told to the partner," \
            "or to be acknowledged by it."
    fi
}

print_tables() { # terminal or markdown
    local kind=$1 title
    title() { if [ "$kind" = markdown ]; then printf '\n**%s**\n\n' "$1"; else printf '\n%s\n' "$1"; fi; }
    if [ "$kind" = markdown ]; then sed 's/$/  /' "$results/machine"; else cat "$results/machine"; fi
    if [ -s "$results/rates" ]; then
        title "perfdhcp: peak in steps of $seconds s, to 3 %, best of three"
        rates_cells | as_table "$kind"
    fi
    if [ -s "$results/loads" ]; then
        title "own generator: server on one processor, generator on the other"
        loads_cells | as_table "$kind"
        if [ -s "$results/lost" ]; then cat "$results/lost"; fi
        load_remarks
        [ "$kind" = terminal ] || echo
    fi
    if [ -s "$results/expiries" ]; then
        title "leases that end in one second, while others renew: server on one processor, generator on the other"
        expiries_cells | as_table "$kind"
        [ "$kind" = terminal ] || echo
    fi
    title "targets (docs/performance.md)"
    targets_cells | as_table "$kind"
    [ "$kind" = terminal ] || echo
    if [ -s "$results/rates" ]; then remarks; fi
}
