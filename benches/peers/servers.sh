# How each server is run: server_command NAME FOLDER sets `command`, `clients`, the number of clients that load it, and `controls`, the
# files by which a tandem is asked what it counted; for a pair `partner_command` too (pairs.sh). Every one of them leases for 4000 s,
# asks nobody whether an address is in use, and logs errors only.
# Needs: space.sh, tandem (the binary), here (this folder), many (clients for those that have room for them).
pool_first=10.0.0.10
pool_last=10.3.255.254
pool_size=262133 clients_most=200000
# A start of dhcpd takes time and memory for each address of a pool, so it has one of 65,525.
dhcpd_pool="10.0.0.10 10.0.255.254" dhcpd_pool_size=65525 dhcpd_clients=60000
servers_known="echo tandem tandem-pair kea1 kea2 keamem kea-ha dhcpd dhcpd-pair dnsmasq"

is_pair() { case $1 in *-pair | *-ha) ;; *) return 1 ;; esac; }

server_command() {
    local name=$1 folder=$2
    clients=$many command=() partner_command=() controls=()
    case $name in
        *-pair | *-ha) pair_commands "$name" "$folder" ;;
        echo)
            # No server: answers with the same OFFER and ACK for ever. The ceiling of load generator, cable and kernel.
            cc -O2 -o "$folder/echo" "$here/echo.c"
            command=("$folder/echo" "$server_address")
            ;;
        kea1) kea "$folder" 1 true ;;
        kea2) kea "$folder" 2 true ;;
        keamem) kea "$folder" 2 false ;;
        dhcpd)
            clients=$dhcpd_clients
            cp "$(command -v dhcpd)" "$folder/dhcpd"
            : > "$folder/dhcpd.leases"
            {
                dhcpd_head
                echo "subnet 10.0.0.0 netmask 255.0.0.0 { range $dhcpd_pool; }"
            } > "$folder/dhcpd.conf"
            command=("$folder/dhcpd" -4 -f -q -cf "$folder/dhcpd.conf" -lf "$folder/dhcpd.leases" --no-pid ps0)
            ;;
        dnsmasq)
            cp "$(command -v dnsmasq)" "$folder/dnsmasq"
            command=("$folder/dnsmasq" -k -p 0 -i ps0 --bind-interfaces --no-ping --quiet-dhcp -u root -C /dev/null
                -F "$pool_first,$pool_last,255.0.0.0,4000" --dhcp-lease-max=4000000
                -l "$folder/dnsmasq.leases" "--log-facility=$folder/dnsmasq.log" "--pid-file=$folder/dnsmasq.pid")
            ;;
        tandem)
            mkdir -p "$folder/state"
            { tandem_head "$folder/state"; tandem_subnet; } > "$folder/tandem.toml"
            controls=("$folder/tandem.toml")
            command=("$tandem" serve -c "$folder/tandem.toml")
            ;;
        *)
            echo "no such server: $name ($servers_known)" >&2
            return 2
            ;;
    esac
}

tandem_head() { # state directory, interfaces
    printf 'interfaces = [%s]\nstate-directory = "%s"\nclock-wait = "0s"\n' "${2:-\"ps0\"}" "$1"
}

tandem_subnet() { # more lines for the pool
    printf '\n[[subnet]]\nprefix = "10.0.0.0/8"\nlease-time = "4000s"\n\n[[subnet.pool]]\nrange = "%s-%s"\n%s\n' $pool_first $pool_last "${1:-}"
}

dhcpd_head() { printf 'authoritative;\nping-check false;\ndefault-lease-time 4000;\nmax-lease-time 4000;\n'; }

kea() { # folder, threads, whether leases are written to a file, more lines for the server
    local several=false
    [ "$2" -gt 1 ] && several=true
    mkdir -p "$1"
    cp "$(command -v kea-dhcp4)" "$1/kea-dhcp4"
    cat > "$1/kea.json" <<TEXT
{"Dhcp4": {
  "interfaces-config": {"interfaces": ["ps0"], "dhcp-socket-type": "udp"},
  "lease-database": {"type": "memfile", "persist": $3, "name": "$1/kea.csv", "lfc-interval": 0},
  "multi-threading": {"enable-multi-threading": $several, "thread-pool-size": $2, "packet-queue-size": 64},
  "valid-lifetime": 4000,
${4:-}
  "subnet4": [{"subnet": "10.0.0.0/8", "pools": [{"pool": "$pool_first-$pool_last"}]}],
  "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "$1/kea.log"}]}]
}}
TEXT
    command=(env "KEA_PIDFILE_DIR=$1" "KEA_LOCKFILE_DIR=$1" "$1/kea-dhcp4" -c "$1/kea.json")
}

# What stands between a lease and a power cut, and between it and the death of the server.
server_durability() {
    case $1 in
        tandem | dhcpd) echo "sync before ACK" ;;
        tandem-pair | dhcpd-pair) echo "sync before ACK, partner told later" ;;
        kea-ha) echo "written, not synced; partner told before ACK" ;;
        kea1 | kea2 | dnsmasq) echo "written, not synced" ;;
        *) echo "none" ;;
    esac
}
