# The namespaces and their cables. Two for every server: who loads, 10.99.0.1, and who serves, 10.99.0.2, in 10.0.0.0/8. For a pair a
# third with its partner, 10.99.0.3, and a link between the two servers for failover. Nothing of it is outside; the names belong to
# this process alone.
client_space=tb$$c
server_space=tb$$s
partner_space=tb$$p
client_address=10.99.0.1
server_address=10.99.0.2
partner_address=10.99.0.3
link_address=192.168.98.1
link_partner=192.168.98.2

space_up() {
    ip netns add "$client_space"
    ip netns add "$server_space"
    ip link add pc0 netns "$client_space" type veth peer name ps0 netns "$server_space"
    ip -n "$client_space" address add $client_address/8 dev pc0
    ip -n "$server_space" address add $server_address/8 dev ps0
    ip -n "$client_space" link set lo up
    ip -n "$server_space" link set lo up
    ip -n "$client_space" link set pc0 up
    ip -n "$server_space" link set ps0 up
    cable_up "$server_space" ps0
}

# The partner's own wire to the load, pc1 to ps0, without addresses, and the link between the servers.
partner_space_up() {
    ip netns add "$partner_space"
    ip -n "$partner_space" link set lo up
    ip link add pc1 netns "$client_space" type veth peer name ps0 netns "$partner_space"
    ip link add pl0 netns "$server_space" type veth peer name pl0 netns "$partner_space"
    ip -n "$server_space" address add $link_address/30 dev pl0
    ip -n "$partner_space" address add $link_partner/30 dev pl0
    ip -n "$client_space" link set pc1 up
    ip -n "$partner_space" link set ps0 up
    ip -n "$server_space" link set pl0 up
    ip -n "$partner_space" link set pl0 up
    # Answers of the partner come in where the route to their source does not lead.
    ip netns exec "$client_space" sh -c 'echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 0 > /proc/sys/net/ipv4/conf/pc1/rp_filter'
    cable_up "$partner_space" ps0 && cable_up "$partner_space" pl0
}

# A relay that knows two servers sends to both. perfdhcp sends to one: here each packet for the server goes to the partner too, as a
# copy. It has the server's address on it, which becomes that of the partner where it arrives.
partner_up() {
    partner_space_up || return 1
    ip -n "$partner_space" address add $partner_address/8 dev ps0
    ip -n "$client_space" route add $partner_address dev pc1 src $client_address
    ip netns exec "$client_space" iptables -t mangle -A OUTPUT -d $server_address -p udp --dport 67 -j TEE --gateway $partner_address || return 1
    ip netns exec "$partner_space" iptables -t nat -A PREROUTING -d $server_address -p udp --dport 67 -j DNAT \
        --to-destination $partner_address || return 1
}

partner_down() {
    space_exists "$partner_space" || return 0
    ip netns exec "$client_space" iptables -t mangle -F OUTPUT 2> /dev/null || true
    space_delete "$partner_space"
}

cable_up() { # space, device
    for _ in $(seq 50); do
        ip -n "$1" link show "$2" | grep -q 'state UP' && return
        sleep 0.1
    done
    echo "the cable $2 between the namespaces does not come up" >&2
    return 1
}

space_exists() { [ -e "/run/netns/$1" ]; }

# Whatever still runs in it ends with it.
space_delete() {
    space_exists "$1" || return 0
    ip netns pids "$1" 2> /dev/null | xargs -r kill -9 2> /dev/null || true
    ip netns delete "$1" 2> /dev/null || true
}

space_down() {
    partner_down
    space_delete "$client_space"
    space_delete "$server_space"
}
