#!/bin/bash
# Event orders that give one address to two clients, with real servers and real clients (udhcpc) in the lab's namespaces.
#   duplicates.sh t15 | t16 | t18      ends with "DUPLICATE …" (exit 1) or "no duplicate" (exit 0); each takes 3 to 6 minutes
# Traps are numbered as in research/reliability.md §4. LABCMD names the program that starts the servers (default: isc-lab.sh, two real dhcpd). For
# other servers give a program of the same verbs: net, down, start a|b primary|secondary, stop a|b SIGNAL, partner-down a|b, normal (exit 0 when both
# are in NORMAL), lose a|b (delete that server's store), with MCLT, LEASE, POOL, LAB and NS from the environment. NS begins the namespaces' names.
here=$(dirname "$(readlink -f "$0")"); export MCLT=${MCLT:-30} LEASE=${LEASE:-240} POOL=${POOL:-"10.9.1.1 10.9.1.8"} DELAY=10 NS=${NS:-lab}; export LAB=${LAB:-/tmp/duplicates-$NS-$1}
T0=$(date +%s); say() { echo "[$(( $(date +%s) - T0 )) s] $*"; }
rm -rf "$LAB"; mkdir -p "$LAB"; LOG=$LAB/clients.log; : > "$LOG"
lab() {
  if [ -n "$LABCMD" ]; then "$LABCMD" "$@"; return; fi
  case $1 in
  partner-down) "$here/isc-lab.sh" omapi "$2" local-state 4;;
  normal) grep -q "to normal" "$LAB/a.log" && grep -q "to normal" "$LAB/b.log";;
  lose) rm -f "$LAB/$2".leases* "$LAB/$2".pid;;
  *) "$here/isc-lab.sh" "$@";;
  esac
}
printf '#!/bin/sh\n[ "$1" = bound -o "$1" = renew ] && { echo "$(date +%%s) $interface $ip $lease $serverid" >> %s; ip addr flush dev $interface; ip addr add $ip/16 dev $interface; }\nexit 0\n' "$LOG" > "$LAB/udhcpc.sh"; chmod +x "$LAB/udhcpc.sh"
nic() { ip -n $NS-c link add "c$1" link eth0 type macvlan mode bridge; ip -n $NS-c link set "c$1" address "02:00:00:00:01:0$1" up; }
client() { nic "$1"; ip netns exec $NS-c udhcpc -f -i "c$1" -t 8 -T 2 -s "$LAB/udhcpc.sh" > /dev/null 2>&1 & PID=$!; }   # a client that lives on
last() { grep " c$1 " "$LOG" | tail -1; }
end_of() { last "$1" | awk '{print $1 + $4}'; }
once() { ip netns exec $NS-c udhcpc -i "c$1" -n -q -t 3 -T 1 -r "$2" -R -s "$LAB/udhcpc.sh" > /dev/null 2>&1; last "$1" | awk '{print $3}'; }  # asks for an address, leaves
port() { ip -n $NS-sw link set "p-$1" "$2"; }                                   # cut a server off from everything, or back
link() { for h in a b; do for d in dport sport; do ip netns exec $NS-$h iptables -$1 INPUT -p tcp --$d 647 -j DROP; done; done; }   # A cuts, D mends the partner link alone
up_normal() { for i in $(seq 1 90); do lab normal 2>/dev/null && break; sleep 1; done; sleep 3; say "pair in NORMAL"; }
client_of() { # a client served by server $1, renewed to the full lease: sets C PID IP
  for C in 1 2 3 4 5 6 7 8; do client $C; sleep 5; [ "$(last $C | awk '{print $5}')" = "$1" ] && break; kill $PID; ip -n $NS-c link del c$C; done
  for i in $(seq 1 60); do [ "$(last $C | awk '{print $4}')" = "$LEASE" ] && break; sleep 1; done; sleep 6; IP=$(last $C | awk '{print $3}')
  say "client C: $IP for $LEASE s from $1"; }
finish() { kill $PID 2>/dev/null; lab down; say "$1"; [ "${1%%:*}" = DUPLICATE ] && exit 1; exit 0; }
verdict() { # new client 9 against holder $1 of address $2 until its end $3
  nic 9; while [ "$(date +%s)" -lt $(( $3 - 3 )) ]; do [ "$(once 9 "$2")" = "$2" ] && finish "DUPLICATE: a new client got $2 while $1 holds it for another $(( $3 - $(date +%s) )) s"; sleep 2; done
  finish "no duplicate while $1 held $2"; }
lab net; lab start a primary > /dev/null; lab start b secondary > /dev/null; up_normal
case $1 in
t18) # B renews C untold and dies; A has let the lease expire by its own view; the operator rightly says partner-down
  client_of 10.9.0.2; link A; say "partner link cut"; n=$(wc -l < "$LOG"); while [ "$(wc -l < "$LOG")" -le "$n" ]; do sleep 1; done; END=$(end_of $C); say "C renewed at B until $((END - T0)) s; A does not know"
  while [ "$(date +%s)" -lt $(( END - LEASE / 2 )) ]; do sleep 1; done; sleep 2; lab stop b KILL; say "B dies (A's view of C's lease is over)"
  sleep 1; lab partner-down a > "$LAB/pd.log" 2>&1; say "operator, rightly: A to PARTNER-DOWN"; verdict C "$IP" "$END";;
t15) # A dies; operator rightly puts B in PARTNER-DOWN; A comes back while the network between them is cut
  lab stop a KILL; sleep 2; lab partner-down b > "$LAB/pd.log" 2>&1; say "A dead; operator, rightly: B to PARTNER-DOWN"; sleep 3
  link A; lab start a primary > /dev/null; say "A back, partner link cut"; sleep $(( MCLT + 35 ))
  port b down; nic 1; IP=$(once 1 10.9.1.5); END=$(end_of 1); port b up; say "client Y heard by A alone got ${IP:-nothing}"; [ -n "$IP" ] || finish "no duplicate: A gives nothing"
  port a down; sleep 1; nic 9; for i in 1 2 3 4; do Z=$(once 9 "$IP"); [ "$Z" = "$IP" ] && [ "$(date +%s)" -lt "$END" ] && finish "DUPLICATE: a client heard by B alone got $Z while Y holds it for another $((END - $(date +%s))) s"; sleep 1; done
  finish "no duplicate of $IP (client Z got ${Z:-nothing})";;
t16) # B renews C untold, loses its disk, recovers from A's older view; C sleeps; A's view of the lease ends
  client_of 10.9.0.2; link A; say "partner link cut"; n=$(wc -l < "$LOG"); while [ "$(wc -l < "$LOG")" -le "$n" ]; do sleep 1; done; END=$(end_of $C); say "C renewed at B until $((END - T0)) s; A does not know"
  kill -STOP $PID; lab stop b KILL; sleep 2; lab lose b; link D; lab start b secondary > /dev/null; say "B lost its disk, is back, link mended; C asleep"; verdict C "$IP" "$END"; kill -CONT $PID;;
*) sed -n '2,8p' "$0";;
esac
