#!/bin/bash
# A lab with real ISC dhcpd in network namespaces: hosts lab-a (10.9.0.1), lab-b (10.9.0.2) and lab-c (clients) on one
# bridge in namespace lab-sw. Needs root, iproute2, isc-dhcp-server (its binary only); for clients udhcpc or dhclient.
#   isc-lab.sh net                 make the namespaces        isc-lab.sh down      remove them and stop their programs
#   isc-lab.sh start a primary     run dhcpd in lab-a as primary of relationship "campus" (partner lab-b); likewise
#   isc-lab.sh start b secondary   in lab-b as secondary. Start one, and put another implementation in the other host.
#   isc-lab.sh stop a [SIGNAL]     stop that dhcpd (default TERM)
#   isc-lab.sh state a             the failover state that dhcpd in lab-a last wrote
#   isc-lab.sh omapi a NAME VALUE  set the local-state of dhcpd in lab-a by omshell, e.g. partner-down = 4
#   isc-lab.sh lease N             get a lease for client number N in lab-c with udhcpc; prints address and seconds
# Parameters by environment: MCLT SPLIT POOL LEASE LAB (working folder) EXTRA (more lines for the failover block), NS (the
# beginning of the namespaces' names, "lab" if not set: two labs run side by side under two of them)
NS=${NS:-lab} MCLT=${MCLT:-120} SPLIT=${SPLIT:-128} LEASE=${LEASE:-600} LAB=${LAB:-/tmp/isc-lab}
POOL=${POOL:-"10.9.1.1 10.9.1.100"} DELAY=${DELAY:-10}
mkdir -p "$LAB"
ip_of() { [ "$1" = a ] && echo 10.9.0.1 || echo 10.9.0.2; }
other() { [ "$1" = a ] && echo b || echo a; }
conf() { # host role
  [ "$2" = primary ] && own="mclt $MCLT; split $SPLIT;"
  cat <<C
authoritative; ping-check false; default-lease-time $LEASE; max-lease-time $LEASE; min-lease-time 30;
omapi-port 7911; key omapi_key { algorithm hmac-md5; secret "c2VjcmV0c2VjcmV0c2VjcmV0"; } omapi-key omapi_key;
failover peer "campus" { $2; address $(ip_of $1); port 647; peer address $(ip_of $(other $1)); peer port 647;
  max-response-delay $DELAY; max-unacked-updates 10; load balance max seconds 3; $own $EXTRA }
subnet 10.9.0.0 netmask 255.255.0.0 { option routers 10.9.0.1; option domain-name-servers 10.9.0.1;
  pool { failover peer "campus"; deny dynamic bootp clients; range $POOL; } }
C
}
net() {
  down
  for n in sw a b c; do ip netns add $NS-$n; ip -n $NS-$n link set lo up; done
  ip -n $NS-sw link add br0 type bridge; ip -n $NS-sw link set br0 up
  for n in a b c; do
    ip link add eth0 netns $NS-$n type veth peer name p-$n netns $NS-sw
    ip -n $NS-sw link set p-$n master br0; ip -n $NS-sw link set p-$n up; ip -n $NS-$n link set eth0 up
  done
  ip -n $NS-a addr add 10.9.0.1/16 dev eth0; ip -n $NS-b addr add 10.9.0.2/16 dev eth0
  for i in 1 2 3 4 5 6 7 8 9 10; do ip -n $NS-c link show eth0 | grep -q 'state UP' && break; sleep .3; done
}
down() { for n in sw a b c; do ip netns pids $NS-$n 2>/dev/null | xargs -r kill -9; ip netns del $NS-$n 2>/dev/null; done; true; }
case $1 in
net) net;;
down) down;;
start) conf $2 $3 > "$LAB/$2.conf"; touch "$LAB/$2.leases"
  ip netns exec $NS-$2 dhcpd -4 -f -d -cf "$LAB/$2.conf" -lf "$LAB/$2.leases" -pf "$LAB/$2.pid" eth0 > "$LAB/$2.log" 2>&1 &
  sleep 1; tail -2 "$LAB/$2.log";;
stop) kill -${3:-TERM} "$(cat "$LAB/$2.pid")";;
state) grep -A3 'failover peer "campus" state' "$LAB/$2.leases" | tail -4;;
omapi) printf 'server 127.0.0.1\nkey omapi_key c2VjcmV0c2VjcmV0c2VjcmV0\nconnect\nnew failover-state\nset name = "campus"\nopen\nset %s = %s\nupdate\n' "$3" "$4" | ip netns exec $NS-$2 omshell;;
lease) mac=$(printf '02:00:00:00:%02x:%02x' $(($2/256)) $(($2%256)))
  ip -n $NS-c link add m$2 link eth0 type macvlan mode bridge; ip -n $NS-c link set m$2 address $mac up
  printf '#!/bin/sh\n[ "$1" = bound ] && echo "$ip $lease"\nexit 0\n' > "$LAB/udhcpc.sh"; chmod +x "$LAB/udhcpc.sh"
  ip netns exec $NS-c udhcpc -i m$2 -n -q -t 5 -T 2 -s "$LAB/udhcpc.sh" 2>/dev/null; ip -n $NS-c link del m$2;;
*) sed -n '2,14p' "$0";;
esac
