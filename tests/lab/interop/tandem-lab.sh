#!/bin/bash
# The lab of isc-lab.sh with two `tandem serve` in the place of the two dhcpd: a lab command for duplicates.sh (LABCMD).
#   tandem-lab.sh net | down                 the namespaces, as isc-lab.sh makes and removes them
#   tandem-lab.sh start a|b primary|secondary     stop a|b [SIGNAL]     lose a|b (delete that server's store)
#   tandem-lab.sh partner-down a|b           the operator says that the partner of that server is down
#   tandem-lab.sh normal                     exit 0 when both are in NORMAL and in contact
# Parameters by environment: MCLT SPLIT POOL LEASE LAB NS, as for isc-lab.sh, and TANDEM (the program).
here=$(dirname "$(readlink -f "$0")")
NS=${NS:-lab} MCLT=${MCLT:-120} SPLIT=${SPLIT:-128} LEASE=${LEASE:-600} LAB=${LAB:-/tmp/tandem-lab}
POOL=${POOL:-"10.9.1.1 10.9.1.100"} TANDEM=${TANDEM:-tandem}
mkdir -p "$LAB"
ip_of() { [ "$1" = a ] && echo 10.9.0.1 || echo 10.9.0.2; }
other() { [ "$1" = a ] && echo b || echo a; }
conf() { # host role
  cat <<C
interfaces = ["eth0"]
state-directory = "$LAB/$1"
clock-wait = "0s"
log-level = "debug"
[[failover]]
name = "campus"
role = "$2"
listen = "$(ip_of "$1"):647"
partner = "$(ip_of "$(other "$1")"):647"
mclt = "${MCLT}s"
split = $SPLIT
receive-timer = "${DELAY:-20}s"
[[subnet]]
prefix = "10.9.0.0/16"
lease-time = "${LEASE}s"
options = { routers = ["10.9.0.1"], domain-name-servers = ["10.9.0.1"] }
[[subnet.pool]]
range = "${POOL/ /-}"
failover = "campus"
C
}
in_normal() { "$TANDEM" failover status --socket "$LAB/$1/control.sock" > /dev/null 2>&1; }
case $1 in
net | down) NS=$NS "$here/isc-lab.sh" "$1";;
start) conf "$2" "$3" > "$LAB/$2.toml"; mkdir -p "$LAB/$2"
  ip netns exec "$NS-$2" "$TANDEM" serve -c "$LAB/$2.toml" >> "$LAB/$2.log" 2>&1 &
  echo $! > "$LAB/$2.pid"; sleep 1; tail -2 "$LAB/$2.log";;
stop) kill "-${3:-TERM}" "$(cat "$LAB/$2.pid")";;
partner-down) "$TANDEM" failover partner-down --yes-it-is-off --socket "$LAB/$2/control.sock";;
normal) in_normal a && in_normal b;;
lose) rm -rf "${LAB:?}/$2" "$LAB/$2.pid";;
*) sed -n '2,7p' "$0";;
esac
