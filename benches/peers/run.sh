# Programs that are started, waited for and stopped: start_command NAME [WORDS...] runs `command`, and `partner_command` in the other
# namespace, with the words before them, and returns when both serve, a pair when it is one; stop_server ends them.
# Needs: space.sh, servers.sh, pairs.sh, folder, seconds, servers, parts.
pids=() # of the server and its partner
child=  # what loads them

# Progress is for people who look on.
talks() { [ -t 2 ] && [ -z "${QUIET:-}" ]; }
say() { if talks; then printf '\r\033[K%s\n' "$*" >&2; fi; }
progress() { if talks; then printf '\r\033[K  %s' "$*" >&2; fi; }

# About how long it all takes after the build, by what it took on two processors.
minutes() {
    local server sum=10
    for server in "${servers[@]}"; do
        case " $parts " in *" perfdhcp "*) sum=$((sum + 19 * (seconds + 1) + 30)) ;; esac
        if is_pair "$server"; then sum=$((sum + 30)); fi
        if ! is_pair "$server" || [ "$server" = tandem-pair ]; then case " $parts " in *" load "*) sum=$((sum + 75)) ;; esac; fi
    done
    case " $parts " in *" figures "*) sum=$((sum + 60 + (more_leases > 0 ? 30 : 0))) ;; esac
    case " $parts " in *" expiry "*) sum=$((sum + 50)) ;; esac
    echo $(((sum + 59) / 60))
}

# In the background, so that a signal to this script is heard at once and not when the child is done.
runs() { # command
    local status=0
    "$@" &
    child=$!
    wait $child || status=$?
    child=
    return $status
}

start_process() { # space, file for its output, command
    ip netns exec "$1" "${@:3}" > "$2" 2>&1 &
    pids+=($!)
}

start_command() { # name, what goes before each command
    local ready=0
    pids=()
    : > "$folder/output"
    # A disk that is told which blocks are free (mount option discard) is told some time after a commit, and may stand still for it: of what
    # was removed before it hears now.
    sync -f "$results"
    if [ ${#partner_command[@]} -gt 0 ]; then start_process "$partner_space" "$folder/output.partner" "${@:2}" "${partner_command[@]}"; fi
    start_process "$server_space" "$folder/output" "${@:2}" "${command[@]}"
    # The server is the first of both.
    if [ ${#pids[@]} -gt 1 ]; then pids=("${pids[1]}" "${pids[0]}"); fi
    serves "$server_space" "${pids[0]}" || ready=1
    if [ $ready = 0 ] && [ ${#pids[@]} -gt 1 ]; then
        serves "$partner_space" "${pids[1]}" || ready=1
        # A dhcpd syncs each of the 32,000 addresses that it hands over: seconds, or minutes on a slow disk.
        [ $ready = 1 ] || pair_wait "$1" 300 pair_is_shared || ready=1
    fi
    if [ $ready = 0 ]; then
        settle 120
        return
    fi
    {
        echo "$1 does not serve${partner_command:+, or is not in NORMAL with half of the addresses each after 300 s}:"
        tail -n 5 "$folder"/output*
    } >&2
    return 1
}

serves() { # space, pid
    for _ in $(seq 200); do
        kill -0 "$2" 2> /dev/null || return 1
        if ip netns exec "$1" ss -Hlun 'sport = :67' | grep -q .; then
            sleep 0.5
            return
        fi
        sleep 0.1
    done
    return 1
}

# Whether all that were started still run.
live() {
    local pid
    for pid in "${pids[@]}"; do kill -0 "$pid" 2> /dev/null || return 1; done
}

pair_wait() { # name, seconds, what else must be so
    local until=$((SECONDS + $2))
    progress "$1: waiting until both are in NORMAL${3:+ and have their addresses}"
    until pair_is_normal "$1" "$folder" && ${3:-true} "$1" "$folder"; do
        [ $SECONDS -lt $until ] || return 1
        live || return 1
        sleep 0.5
    done
}

# Nanoseconds of processor so far, a line for each server.
processor() {
    local pid
    for pid in "${pids[@]}"; do
        awk '{ sum += $1 } END { printf "%.0f\n", sum }' "/proc/$pid/task/"*/schedstat 2> /dev/null || echo 0
    done
}

# Waits until the servers have nothing left to do: less than a twentieth of a processor for half a second.
settle() { # seconds at most
    local until=$((SECONDS + $1)) last now
    last=$(processor | awk '{ sum += $1 } END { printf "%.0f", sum }')
    while [ $SECONDS -lt $until ]; do
        sleep 0.5
        now=$(processor | awk '{ sum += $1 } END { printf "%.0f", sum }')
        [ $((now - last)) -ge 25000000 ] || return 0
        last=$now
    done
}

stop_server() {
    local pid
    [ -z "$child" ] || kill "$child" 2> /dev/null || true
    for pid in "${pids[@]}"; do kill "$pid" 2> /dev/null || true; done
    for pid in "${pids[@]}"; do
        for _ in $(seq 50); do
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.1
        done
        kill -9 "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    pids=()
}
