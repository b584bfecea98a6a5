# The engine alone (`figures`, in benches/src/bin): with_figures writes lines of a name, a number and a unit to $results/figures, and what of
# them people read to $results/figures.table. What it could not measure is told there too.
# Needs: results, figures (the binary), leases, runs, progress.
more_leases=${MORE_LEASES:-10000000} # a second time for memory and start; 0 for not at all
more_needs=4 # GiB of memory that must be free for that, and of disk

# Its lines, each name with something behind it.
figure() { # what goes behind a name, words for `figures`
    progress "figures ${*:2}"
    if runs "$figures" "${@:2}" > "$results/figure" 2> "$results/figure.why"; then
        awk -v more="$1" '$1 != "leases" { $1 = $1 more; print }' "$results/figure" >> "$results/figures"
    else
        echo "figures ${*:2}: $(tail -1 "$results/figure.why")" >> "$results/figures.why"
    fi
    rm -f "$results/figure" "$results/figure.why"
}

# The same with a store that is there for so long, as the last word.
figure_with_store() { # what goes behind a name, words for `figures`
    figure "$@" "$results/store"
    rm -rf "$results/store"
}

figure_of() { awk -v name="$1" '$1 == name { print $2; exit }' "$results/figures" 2> /dev/null; }

with_figures() {
    local kind memory disk
    : > "$results/figures.why"
    echo "leases $leases leases" > "$results/figures"
    for kind in plain full; do
        figure "-$kind" memory $kind "$leases"
        figure_with_store "-$kind" start $kind "$leases"
    done
    figure "" allocations
    figure "" pool "$leases"
    figure "" expiry "$leases"
    figure "" subnets 10000 100000
    figure "" relationships 200
    figure "" updates "$leases"
    figure_with_store "" snapshot plain "$leases"
    if [ "$more_leases" -gt 0 ]; then
        memory=$(awk '/^MemAvailable/ { print int($2 / 1048576) }' /proc/meminfo)
        disk=$(df --output=avail -k "$results" | awk 'END { print int($1 / 1048576) }')
        if [ "$memory" -ge $more_needs ] && [ "$disk" -ge $more_needs ]; then
            figure -of-more memory plain "$more_leases"
            figure_with_store -of-more start plain "$more_leases"
        else
            echo "not measured with $more_leases leases: $memory GiB of memory and $disk GiB of disk are free, and $more_needs are needed" >> "$results/figures.why"
        fi
    fi
    figures_table > "$results/figures.table"
}

figures_table() {
    echo "engine alone with $leases leases, and start from a store with them:"
    figures_like '^(memory|start).*-(plain|full)$'
    if grep -q -- '-of-more ' "$results/figures"; then
        echo "the same with $more_leases leases:"
        figures_like '^(memory|start).*-of-more$'
    fi
    echo "allocations from the packet to its reply:"
    figures_like '^allocations'
    echo "what grows and must not cost:"
    figures_like '^(pool|expiry|subnets|relationships|updates)'
    echo "a snapshot of $leases leases, and a renewal with and without it under way:"
    figures_like '^snapshot'
    cat "$results/figures.why"
}

# Lines whose name is like that.
figures_like() {
    awk -v name="$1" '$1 ~ name { first = $1; sub(/-of-more$/, "", first)
        if (NF == 3) printf "  %-28s %8s %s\n", first, $2, $3
        else { $1 = ""; printf "  %-28s%s\n", first, $0 } }' "$results/figures"
}
