#!/bin/bash
# The last hand on the tree of an image: deploy/image.sh calls it with the tree, the capabilities and
# the number of the user. Nothing stays that tells where it was built, changes the user or installs.
set -euo pipefail

root=${1:?a tree} capabilities=$2 user=$3
[ "$(realpath "$root")" != / ] || exit 2

# A tmpfs that covers it is root's and, with runc, gets its mode.
install -d -o "$user" -g "$user" -m 1777 "$root/run/mcastd"
install -d -o "$user" -g "$user" -m 755 "$root/var/lib/mcastd"
find "$root" -xdev -type f -perm /6000 -exec chmod ug-s {} +
# What mmdebstrap keeps in the tree for apt, this file and what is in /tmp, is for it to take away:
# an apt that does not find it works on the lists of the machine that builds.
find "$root/etc/apt" -type f ! -name 00mmdebstrap -delete
rm -rf "$root"/var/lib/apt "$root"/var/cache/* "$root"/var/log/* "$root"/etc/resolv.conf \
	"$root"/etc/hostname "$root"/etc/dpkg/dpkg.cfg.d/99mmdebstrap "$root"/usr/share/zoneinfo
rm -rf "$root"/usr/lib/python3.*/{test,lib2to3,pydoc_data,ensurepip,idlelib,turtledemo,tkinter}
find "$root/usr/lib/python3" "$root"/usr/lib/python3.* -name __pycache__ -prune -exec rm -rf {} +
PYTHONHASHSEED=0 chroot "$root" python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash \
	/usr/lib/python3 "/usr/$(cd "$root/usr" && ls -d lib/python3.*)"
setcap "$capabilities=p" "$(readlink -f "$root/usr/bin/python3")"
