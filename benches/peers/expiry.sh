# Many leases that end in one second in a server that serves: what its other clients wait meanwhile. with_expiry writes two lines to
# $results/expiries, as `expiries_head` names its columns: the same renewals at a steady rate without such leases, and with them.
# Needs: load.sh, figures (the binary), leases, many, results, runs, progress.
expiries_head="work ended answered p50-us p99-us p99.9-us longest-us why"
expiry_rate=10000  # renewals a second
expiry_clients=20000
expiry_ahead=25    # seconds from before the store is written until its leases end
expiry_seconds=6   # of renewals, which begin two seconds before that

with_expiry() {
    : > "$results/expiries"
    load_up
    expiry_measure without
    expiry_measure during
}

expiry_measure() { # without or during
    local file why=- ended=0 renewals="renew:$expiry_rate:$expiry_seconds" ends=0
    progress "expiry, $1"
    folder=$results/expiry-$1
    mkdir -p "$folder"
    server_command tandem "$folder"
    [ "$clients" -le $expiry_clients ] || clients=$expiry_clients
    load_config tandem
    # The pool of `figures ending`, apart from those of the clients.
    printf '\n[[subnet]]\nprefix = "10.0.0.0/10"\nlease-time = "3600s"\n[[subnet.pool]]\nrange = "10.0.0.16-%s"\n' \
        "$(dotted $((0x0a00000f + leases)))" >> "$folder/tandem.toml"
    file=$folder/renewals
    if [ "$1" = during ]; then
        ends=$(($(date +%s) + expiry_ahead))
        if ! runs "$figures" ending "$leases" "$folder/state" $ends > "$folder/ending" 2>&1; then
            why=$(tail -1 "$folder/ending")
        fi
        begins_at=$((ends - 2))
    fi
    if [ "$why" != - ]; then
        :
    elif ! start_command tandem taskset -c $server_processor; then
        why=$(tail -1 "$folder/output" | cut -c 1-100)
    elif ! load_run tandem "$file" "$clients" "bind:w256:10" "$renewals"; then
        why=$(tail -1 "$file.why")
    else
        ended=$(load_grew "$file" 2 expiry)
        # Whoever was too slow has measured something else.
        if [ "$1" = during ] && [ "$ended" -lt "$leases" ]; then why="only $ended of $leases leases ended meanwhile"; fi
    fi
    begins_at=
    stop_server
    rm -rf "$folder/state"
    if [ "$why" = - ]; then
        echo "$1 $ended $(load_value "$file" "$renewals" renew answered) $(load_value "$file" "$renewals" renew p50-us)" \
            "$(load_value "$file" "$renewals" renew p99-us) $(load_value "$file" "$renewals" renew p99.9-us)" \
            "$(load_value "$file" "$renewals" renew longest-us) -" >> "$results/expiries"
    else
        echo "$1 - - - - - - ${why:-it does not say why}" >> "$results/expiries"
    fi
}

expiries_cells() {
    local work ended answered p50 p99 most longest why
    echo "renewals at $expiry_rate a second|leases that end|ACKs|p50 ms|p99 ms|p99.9 ms|longest ms|"
    while read -r work ended answered p50 p99 most longest why; do
        [ "$why" != - ] || why=
        [ "$work" = during ] && work="while leases end" || work="without"
        echo "$work|$ended|$answered|$(ratio "$p50" 1000 1 2)|$(ratio "$p99" 1000 1 2)|$(ratio "$most" 1000 1 2)|$(ratio "$longest" 1000 1 2)|$why"
    done < "$results/expiries"
}
