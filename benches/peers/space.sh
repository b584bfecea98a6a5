# Two network namespaces with a cable between them: who loads, 10.99.0.1, and who serves, 10.99.0.2, in 10.0.0.0/8. Nothing of
# it is outside; the names belong to this process alone.
client_space=tb$$c
server_space=tb$$s
client_address=10.99.0.1
server_address=10.99.0.2

space_up() {
    ip netns add "$client_space"
    ip netns add "$server_space"
    ip link add pc0 netns "$client_space" type veth peer name ps0 netns "$server_space"
    ip -n "$client_space" address add $client_address/8 dev pc0
    ip -n "$server_space" address add $server_address/8 dev ps0
    local space device
    for space in "$client_space:pc0" "$server_space:ps0"; do
        device=${space#*:}
        ip -n "${space%:*}" link set lo up
        ip -n "${space%:*}" link set "$device" up
    done
    for _ in $(seq 50); do
        ip -n "$server_space" link show ps0 | grep -q 'state UP' && return
        sleep 0.1
    done
    echo "the cable between the namespaces does not come up" >&2
    return 1
}

space_down() {
    ip netns delete "$client_space" 2> /dev/null || true
    ip netns delete "$server_space" 2> /dev/null || true
}
