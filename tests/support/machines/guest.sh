#!/bin/sh
# guest.sh DIRECTORY...: runs in the machine, as root. Each N.request that appears beside it is a
# shell script; what it says goes to N.out and N.err, its exit code, last, to N.code. Ends when
# `end` appears. The directories are read through a cache, and may be written: nothing stays.
set -u
cd "$(dirname "$0")" || exit 1

cached() {
	modules=$(readlink -f "/lib/modules/$(uname -r)") # the view of /usr hides where virtme put them
	mount -t 9p -o ro,version=9p2000.L,trans=virtio,cache=loose,access=any,msize=512000 \
		cached /run/cached || return 1
	for directory in "$@"; do
		place=/run/changed/$(echo "$directory" | tr / _)
		mkdir -p "$place/upper" "$place/work" &&
			mount -t overlay -o "lowerdir=/run/cached$directory" \
				-o "upperdir=$place/upper,workdir=$place/work" overlay "$directory" || return 1
	done
	mkdir -p /lib/modules && mount -t tmpfs modules /lib/modules &&
		ln -s "$modules" "/lib/modules/$(uname -r)"
}

# The machine's /tmp is no file system on which all works.
mkdir -p /run/scratch /run/cached
ip link set lo up
cached "$@" >up.part 2>&1 && : >up.part
mv up.part up
while [ ! -e end ]; do
	for request in *.request; do
		[ -e "$request" ] || continue
		name=${request%.request}
		mv "$request" "$name.script"
		setsid sh "./$name.script" >"$name.out" 2>"$name.err" </dev/null
		echo $? >"$name.part"
		mv "$name.part" "$name.code"
	done
	sleep 0.1
done
