#!/bin/bash
# Makes the captures of this directory: the Linux kernel's own IGMP and MLD, host side and bridge
# querier, and FRR's pimd as querier, in network namespaces that are gone afterwards.
#
#   sudo tests/golden/captures/make.sh
#
# Needs iproute2, tcpdump, dumpcap, python3; FRR's captures are left out where it is not installed.
set -euo pipefail
cd "$(dirname "$0")"

host="mcastd-golden-host-$$"
querier="mcastd-golden-querier-$$"
work=$(mktemp -d)
processes=()

cleanup() {
	for process in "${processes[@]}"; do kill "$process" 2>/dev/null || true; done
	wait 2>/dev/null || true
	ip netns del "$host" 2>/dev/null || true
	ip netns del "$querier" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

on() { ip netns exec "$@"; }

# A host's link `eth0` and the querier's `port0`, which is a port of the bridge `lan`.
build() {
	ip netns add "$host"
	ip netns add "$querier"
	ip link add name eth0 netns "$host" type veth peer name port0 netns "$querier"
	on "$querier" ip link add name lan type bridge mcast_snooping 1
	on "$querier" ip link set port0 master lan
	on "$querier" ip address add 192.0.2.1/24 dev lan
	on "$querier" ip link set lan up
	on "$querier" ip link set port0 up
	on "$host" ip address add 192.0.2.10/24 dev eth0
	on "$host" ip link set lo up
	on "$host" ip link set eth0 up
	sleep 2.5 # duplicate address detection
}

query_every_two_seconds() { # IGMP version, MLD version
	on "$querier" ip link set lan type bridge mcast_igmp_version "$1" mcast_mld_version "$2" \
		mcast_query_interval 200 mcast_query_response_interval 100 \
		mcast_startup_query_interval 200 mcast_last_member_interval 50 mcast_querier 1
}

quiet() { on "$querier" ip link set lan type bridge mcast_querier 0; }

force_versions() { # IGMP version, MLD version; 0: as the querier has it
	on "$host" sysctl -qw net.ipv4.conf.all.force_igmp_version="$1"
	on "$host" sysctl -qw net.ipv6.conf.all.force_mld_version="$2"
}

capture_on() { # namespace, interface, file, more arguments of tcpdump
	local namespace=$1 interface=$2 file=$3
	shift 3
	ip netns exec "$namespace" tcpdump -q -U -i "$interface" -w "$work/$file" "$@" 2>/dev/null &
	processes+=($!)
	sleep 0.7
}

captured() { # file
	sleep 0.3
	local process=${processes[-1]}
	kill -TERM "$process"
	wait "$process" || true
	unset 'processes[-1]'
	mv "$work/$1" "$1"
	chmod 644 "$1"
}

build

query_every_two_seconds 3 2
capture_on "$querier" port0 kernel-newest.pcap igmp or ip6
on "$host" python3 join.py eth0 sources
captured kernel-newest.pcap
quiet

query_every_two_seconds 2 1
force_versions 2 1
capture_on "$querier" port0 kernel-older.pcap igmp or ip6
on "$host" python3 join.py eth0 any
captured kernel-older.pcap

force_versions 1 1
capture_on "$querier" any kernel-igmpv1-cooked.pcap -y LINUX_SLL igmp
on "$host" python3 join.py eth0 any
captured kernel-igmpv1-cooked.pcap
quiet

force_versions 0 0
query_every_two_seconds 3 2
capture_on "$querier" any kernel-cooked2-nanoseconds.pcap --time-stamp-precision=nano igmp or ip6
on "$host" python3 join.py eth0 any
captured kernel-cooked2-nanoseconds.pcap
quiet

# One file of two interfaces with different link types, cut off at 80 bytes.
query_every_two_seconds 3 2
ip netns exec "$host" dumpcap -q -s 80 -i eth0 -f "igmp or ip6" -i any -f "igmp or ip6" \
	-w "$work/kernel-two-interfaces.pcapng" 2>/dev/null &
processes+=($!)
sleep 1
on "$host" python3 join.py eth0 sources
captured kernel-two-interfaces.pcapng
quiet

if [ -x /usr/lib/frr/pimd ]; then
	on "$querier" ip link set port0 nomaster
	on "$querier" ip link del lan
	on "$querier" ip address add 192.0.2.1/24 dev port0
	cat >"$work/frr.conf" <<-END
		interface port0
		 ip igmp
		 ip igmp query-interval 4
		 ip igmp query-max-response-time 10
	END
	chown -R frr:frr "$work"
	chmod 755 "$work"
	capture_on "$host" eth0 frr.pcap igmp or ip6
	for daemon in zebra pimd; do
		ip netns exec "$querier" "/usr/lib/frr/$daemon" -f "$work/frr.conf" -i "$work/$daemon.pid" \
			-z "$work/zserv" --vty_socket "$work" >/dev/null 2>&1 &
		processes+=($!)
		sleep 1
	done
	on "$host" python3 join.py eth0 sources
	sleep 5
	recorder=${processes[0]}
	kill -TERM "$recorder"
	wait "$recorder" || true
	mv "$work/frr.pcap" frr.pcap
	chmod 644 frr.pcap
fi
