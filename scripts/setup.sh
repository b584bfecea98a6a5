#!/usr/bin/env bash
# Installs the Debian packages with which the lab, the demo and the benchmarks work, and starts none of their services.
# Does nothing, in a moment, when all are there. With names as arguments it installs these too.
set -euo pipefail
packages=(
    iproute2 tcpdump tshark          # wires, captures, the second opinion
    udhcpc isc-dhcp-client dhcpcd-base bootpc
    isc-dhcp-relay dnsmasq-base
    isc-dhcp-server kea-admin        # the other server; perfdhcp
    iptables                         # cuts what the two dhcpd of interop/ say to each other
    faketime                         # clocks of servers that do not agree
    openssl                          # certificates, as README makes them
    gcc libc6-dev                    # the shim before fdatasync, the sender of raw frames
    "$@"
)
missing=()
for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "setup: root is needed to install ${missing[*]}" >&2
    exit 1
fi
echo "setup: installing ${missing[*]}"
log=$(mktemp)
policy=/usr/sbin/policy-rc.d
[ ! -e $policy ] || mv $policy $policy.before-lab
restore() {
    rm -f $policy "$log"
    [ ! -e $policy.before-lab ] || mv $policy.before-lab $policy
}
trap restore EXIT
# What Debian asks before it starts a service: never.
printf '#!/bin/sh\nexit 101\n' > $policy
chmod 755 $policy
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold -o DPkg::Lock::Timeout=300 install "${missing[@]}"
}
{ apt-get -qq update && install; } > "$log" 2>&1 || { cat "$log" >&2; exit 1; }
# Nor at the next boot; what was there before is not ours to change.
if command -v systemctl > /dev/null; then
    for package in "${missing[@]}"; do
        systemctl --quiet disable "$package" > /dev/null 2>&1 || true
    done
fi
