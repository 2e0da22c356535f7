#!/bin/bash
# Makes a checkout ready to run: the packages that are missing, the environment .venv, the built
# modules. Running it again costs next to nothing. Touches no system directory but by apt.
#
#   deploy/setup.sh           what the agent and its demonstration need
#   deploy/setup.sh --test    also what the tests compare with (tshark, FRR's pimd, promtool, bpftool)
#                             and what they boot other kernels with (QEMU)
#   deploy/setup.sh --bench   also what the benchmarks compare with (numpy, pyroaring, scapy), matplotlib
#   deploy/setup.sh --fuzz    also atheris
#   deploy/setup.sh --image   also what builds the Debian packages and the image of a container
#   deploy/setup.sh --site    also mkdocs, which the tests want, too
set -euo pipefail
cd "$(dirname "$0")/.."

readonly SYSTEM_PYTHON=/usr/bin/python3
readonly VENV=.venv
# python3-bpfcc is the real bcc; the package of that name on PyPI is something else.
readonly PACKAGES="python3 python3-venv python3-dev python3-bpfcc libbpf-dev gcc make iproute2"
readonly TEST_PACKAGES="tshark tcpdump nftables iptables frr prometheus bpftool ethtool procps curl systemd clang-14 clang-format-14 libclang-rt-14-dev \
	qemu-system-x86 mmdebstrap kmod util-linux libteam-utils"
readonly IMAGE_PACKAGES="podman crun mmdebstrap libcap2-bin"
readonly SITE_PACKAGES="mkdocs"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

missing_packages() {
	local name
	for name in "$@"; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || echo "$name"
	done
}

# Services that came with a package would start on their own: they are for the tests to start.
quiet_services() {
	[ -d /run/systemd/system ] || return 0
	local unit
	for unit in "$@"; do
		systemctl disable --now "$unit" >/dev/null 2>&1 || true
	done
}

install_packages() {
	local wanted
	command -v dpkg-query >/dev/null || {
		say "not a Debian: these packages must be there: $*"
		return 0
	}
	wanted=$(missing_packages "$@")
	[ -n "$wanted" ] || return 0
	[ "$(id -u)" = 0 ] || die "missing packages, run this as root: $(echo $wanted)"
	say "installing $(echo $wanted)"
	export DEBIAN_FRONTEND=noninteractive
	mkdir -p build
	{
		apt-get -q update && apt-get -q -y --no-install-recommends install $wanted
	} >build/apt.log 2>&1 || { tail -n 15 build/apt.log >&2; die "apt-get failed (build/apt.log)"; }
	case " $wanted " in *frr*) quiet_services frr.service ;; esac
	case " $wanted " in *prometheus*) quiet_services prometheus.service prometheus-node-exporter.service ;; esac
}

# What the installed environment was made from; when that changes, it is made anew.
fingerprint() {
	{
		echo "$1"
		"$SYSTEM_PYTHON" --version
		pwd
		cat pyproject.toml extras/pyproject.toml setup.py native/*.py native/*.c native/*.h bpf/*.h
	} | sha256sum | cut -d' ' -f1
}

make_environment() {
	local extras=$1 stamp="$VENV/.made-from" now
	now=$(fingerprint "$extras")
	[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ] && return 0
	if [ ! -x "$VENV/bin/python" ]; then
		say "making $VENV"
		"$SYSTEM_PYTHON" -m venv --system-site-packages "$VENV"
	fi
	say "building and installing into $VENV"
	mkdir -p build
	"$VENV/bin/pip" install --disable-pip-version-check -e ".$extras" -e "./extras$extras" >build/pip.log 2>&1 || {
		tail -n 20 build/pip.log >&2
		die "pip failed (build/pip.log)"
	}
	echo "$now" >"$stamp"
}

# The environment serves what was asked for before, too.
extras_of() {
	local wanted="$*" had=""
	[ -f "$VENV/.extras" ] && had=$(cat "$VENV/.extras")
	echo "$wanted $had" | tr ' ' '\n' | sed '/^$/d' | sort -u | paste -sd,
}

main() {
	local option packages=$PACKAGES extras=""
	for option in "$@"; do
		case $option in
		--test) packages="$packages $TEST_PACKAGES $SITE_PACKAGES" extras="$extras test" ;;
		--bench) extras="$extras bench" ;;
		--fuzz) extras="$extras fuzz" ;;
		--image) packages="$packages $IMAGE_PACKAGES $(deploy/deb.sh --tools)" ;;
		--site) packages="$packages $SITE_PACKAGES" ;;
		*) die "$option: no such option; --test, --bench, --fuzz, --image, --site" ;;
		esac
	done
	# Machines boot by it; it takes the place of the one that is linked dynamically, if that is there.
	case " $* " in *" --test "*) command -v busybox >/dev/null || packages="$packages busybox-static" ;; esac
	install_packages $packages
	[ -x "$SYSTEM_PYTHON" ] || die "$SYSTEM_PYTHON is missing (apt-get install python3)"
	extras=$(extras_of $extras)
	make_environment "${extras:+[$extras]}"
	echo "$extras" | tr ',' ' ' >"$VENV/.extras"
}

main "$@"
