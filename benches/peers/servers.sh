# How each server is run: server_command NAME FOLDER sets `command`, and `clients`, the number of clients that load it.
# Every one of them leases for 4000 s, asks nobody whether an address is in use, and logs errors only.
# Needs: server_address, tandem (the binary), here (this folder), many (clients for those that have room for them).
pool_first=10.0.0.10
pool_last=10.15.255.254

server_command() {
    local name=$1 folder=$2
    clients=$many
    case $name in
        echo)
            # No server: answers with the same OFFER and ACK for ever. The ceiling of load generator, cable and kernel.
            cc -O2 -o "$folder/echo" "$here/echo.c"
            command=("$folder/echo" "$server_address")
            ;;
        kea1) kea "$folder" 1 true ;;
        kea2) kea "$folder" 2 true ;;
        keamem) kea "$folder" 2 false ;;
        dhcpd)
            # Its start takes time and memory for each address of a pool, so it has one of 65,525.
            clients=60000
            cp "$(command -v dhcpd)" "$folder/dhcpd"
            : > "$folder/dhcpd.leases"
            cat > "$folder/dhcpd.conf" <<TEXT
authoritative;
ping-check false;
default-lease-time 4000;
max-lease-time 4000;
subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.10 10.0.255.254; }
TEXT
            command=("$folder/dhcpd" -4 -f -q -cf "$folder/dhcpd.conf" -lf "$folder/dhcpd.leases" --no-pid ps0)
            ;;
        dnsmasq)
            cp "$(command -v dnsmasq)" "$folder/dnsmasq"
            command=("$folder/dnsmasq" -k -p 0 -i ps0 --bind-interfaces --no-ping --quiet-dhcp -u root -C /dev/null
                -F "$pool_first,$pool_last,255.0.0.0,4000" --dhcp-lease-max=4000000
                -l "$folder/dnsmasq.leases" "--log-facility=$folder/dnsmasq.log" "--pid-file=$folder/dnsmasq.pid")
            ;;
        tandem)
            cat > "$folder/tandem.toml" <<TEXT
interfaces = ["ps0"]
state-directory = "$folder/state"
clock-wait = "0s"

[[subnet]]
prefix = "10.0.0.0/8"
lease-time = "4000s"

[[subnet.pool]]
range = "$pool_first-$pool_last"
TEXT
            mkdir -p "$folder/state"
            command=("$tandem" serve -c "$folder/tandem.toml")
            ;;
        *)
            echo "no such server: $name (echo, tandem, kea1, kea2, keamem, dhcpd, dnsmasq)" >&2
            return 2
            ;;
    esac
}

kea() { # folder, threads, whether leases are written to a file
    local several=false
    [ "$2" -gt 1 ] && several=true
    cp "$(command -v kea-dhcp4)" "$1/kea-dhcp4"
    cat > "$1/kea.json" <<TEXT
{"Dhcp4": {
  "interfaces-config": {"interfaces": ["ps0"], "dhcp-socket-type": "udp"},
  "lease-database": {"type": "memfile", "persist": $3, "name": "$1/kea.csv", "lfc-interval": 0},
  "multi-threading": {"enable-multi-threading": $several, "thread-pool-size": $2, "packet-queue-size": 64},
  "valid-lifetime": 4000,
  "subnet4": [{"subnet": "10.0.0.0/8", "pools": [{"pool": "$pool_first-$pool_last"}]}],
  "loggers": [{"name": "kea-dhcp4", "severity": "ERROR", "output_options": [{"output": "$1/kea.log"}]}]
}}
TEXT
    command=(env "KEA_PIDFILE_DIR=$1" "KEA_LOCKFILE_DIR=$1" "$1/kea-dhcp4" -c "$1/kea.json")
}

# What stands between a lease and a power cut, for the table.
server_durability() {
    case $1 in
        tandem) echo "sync before ACK" ;;
        dhcpd) echo "sync before ACK" ;;
        kea1 | kea2) echo "written, not synced" ;;
        dnsmasq) echo "written, not synced" ;;
        *) echo "none" ;;
    esac
}
