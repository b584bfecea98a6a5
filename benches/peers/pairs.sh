# Two servers that share their addresses: pair_commands NAME FOLDER sets `command` for the server, which is primary, and
# `partner_command` for its partner, and for a tandem `shared_size`, how many addresses they share. The load reaches both (space.sh). pair_is_normal says whether they serve as a pair now.
#   tandem-pair, dhcpd-pair    failover, split 128: each answers half of the clients
#   kea-ha                     Kea's high availability, hot-standby: one answers, the other keeps the leases too
# Needs: space.sh, servers.sh.

pair_commands() {
    local name=$1 folder=$2
    case $name in
        tandem-pair)
            tandem_partner "$folder/b" secondary $link_partner $link_address
            partner_command=("${command[@]}")
            tandem_partner "$folder/a" primary $link_address $link_partner
            controls=("$folder/a/tandem.toml" "$folder/b/tandem.toml") shared_size=$pool_size
            ;;
        dhcpd-pair)
            clients=$dhcpd_clients
            dhcpd_partner "$folder/b" "secondary" $link_partner $link_address
            partner_command=("${command[@]}")
            dhcpd_partner "$folder/a" "primary; mclt 3600; split 128" $link_address $link_partner
            ;;
        kea-ha)
            kea_partner "$folder/b" b
            partner_command=("${command[@]}")
            kea_partner "$folder/a" a
            ;;
        *)
            echo "no such server: $name ($servers_known)" >&2
            return 2
            ;;
    esac
}

tandem_partner() { # folder, role, own address, that of the other
    mkdir -p "$1/state"
    {
        tandem_head "$1/state"
        tandem_failover "${@:2}"
        tandem_subnet 'failover = "bench"'
    } > "$1/tandem.toml"
    command=("$tandem" serve -c "$1/tandem.toml")
}

tandem_failover() { # role, own address, that of the other
    printf '\n[[failover]]\nname = "bench"\nrole = "%s"\nlisten = "%s"\npartner = "%s"\nsplit = 128\n' "$1" "$2" "$3"
}

dhcpd_partner() { # folder, role and what belongs to it, own address, that of the other
    mkdir -p "$1"
    cp "$(command -v dhcpd)" "$1/dhcpd"
    : > "$1/dhcpd.leases"
    {
        dhcpd_head
        echo "failover peer \"bench\" { $2; address $3; port 647; peer address $4; peer port 647;"
        echo "  max-response-delay 30; max-unacked-updates 100; load balance max seconds 3; }"
        echo "subnet 10.0.0.0 netmask 255.0.0.0 { pool { failover peer \"bench\"; deny dynamic bootp clients; range $dhcpd_pool; } }"
    } > "$1/dhcpd.conf"
    command=("$1/dhcpd" -4 -f -q -cf "$1/dhcpd.conf" -lf "$1/dhcpd.leases" --no-pid ps0)
}

kea_partner() { # folder, name
    local hooks
    hooks=$(dirname "$(dpkg-query -L kea-common kea-dhcp4-server 2> /dev/null | grep '/libdhcp_ha\.so$')")
    kea "$1" 2 true '  "hooks-libraries": [{"library": "'"$hooks"'/libdhcp_lease_cmds.so"}, {"library": "'"$hooks"'/libdhcp_ha.so",
    "parameters": {"high-availability": [{"this-server-name": "'"$2"'", "mode": "hot-standby",
      "heartbeat-delay": 10000, "max-response-delay": 60000, "max-ack-delay": 5000, "max-unacked-clients": 0,
      "multi-threading": {"enable-multi-threading": true, "http-dedicated-listener": true, "http-listener-threads": 2, "http-client-threads": 2},
      "peers": [{"name": "a", "url": "http://'$link_address':8000/", "role": "primary"}, {"name": "b", "url": "http://'$link_partner':8000/", "role": "standby"}]}]}}],'
}

pair_is_normal() { # name, folder
    local side
    case $1 in
        tandem-pair)
            for side in a b; do
                "$tandem" failover status -c "$2/$side/tandem.toml" > "$2/$side/failover" 2>&1 || return 1
            done
            ;;
        dhcpd-pair)
            # Each writes its state into its file whenever that changes: the last one is that of now.
            for side in a b; do
                grep 'my state' "$2/$side/dhcpd.leases" | tail -1 | grep -q 'my state normal' || return 1
            done
            ;;
        kea-ha)
            for side in $link_address $link_partner; do kea_state $side | grep -q '"state": "hot-standby"' || return 1; done
            ;;
    esac
}

# Whether the partner has its half of the free addresses, which at first are all the primary's. Where only one answers nobody shares.
pair_is_shared() { # name, folder
    case $1 in
        tandem-pair)
            "$tandem" status --json -c "$2/a/tandem.toml" > "$2/a/shared" 2> /dev/null || true
            local backup
            backup=$(counter backup "$2/a/shared")
            [ "${backup:-0}" -ge $((shared_size * 49 / 100)) ]
            ;;
        dhcpd-pair) [ "$(grep -c 'binding state backup' "$2/b/dhcpd.leases")" -ge $((dhcpd_pool_size * 49 / 100)) ] ;;
    esac
}

# What the server at this address answers to a heartbeat.
kea_state() { # address
    # shellcheck disable=SC2016 # for the inner shell
    ip netns exec "$server_space" timeout 5 bash -c '
        exec 3<> "/dev/tcp/$0/8000" || exit 1
        text="{\"command\": \"ha-heartbeat\", \"service\": [\"dhcp4\"]}"
        printf "POST / HTTP/1.0\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" ${#text} "$text" >&3
        cat <&3' "$1" 2> /dev/null || true
}
