#!/bin/bash
# Builds the Debian packages of this checkout into build/deb, for the release of Debian that it runs on.
#
#   deploy/deb.sh                  stages the source, compiles the BPF programs, builds
#   deploy/deb.sh --stage DIR      only the source, ready for dpkg-buildpackage, in DIR
#   deploy/deb.sh --tools          names the packages that building takes
#
# The files of the packaging are in deploy/debian: the top of the tree has only what one looks for
# there, and dpkg's place for them, debian/, is made here. The source is what git knows, as it is now.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly TOOLS="debhelper dh-python dpkg-dev fakeroot libbpf-dev lintian pybuild-plugin-pyproject \
	python3-all-dev python3-cffi python3-setuptools"

say() { printf 'deb: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

# No compiler of BPF programs is needed where they are built, nor the capability that bcc wants.
stage() {
	local directory=$1 name names
	rm -rf "$directory"
	mkdir -p "$directory"
	git ls-files -z --cached --others --exclude-standard |
		tar --create --null --files-from - --ignore-failed-read 2>/dev/null |
		tar --extract --directory "$directory"
	mv "$directory/deploy/debian" "$directory/debian"
	# Their names say what they were made from, so what is there already is the same.
	names=$(.venv/bin/python -c "from mcastd.fastpath import objects, streams
for main in objects.MAIN, streams.MAIN: print(objects.file_name(main=main))")
	for name in $names; do
		[ -f "build/prebuilt/$name" ] || .venv/bin/mcastd build-cache --output build/prebuilt >&2 ||
			die "the BPF programs are not compiled"
		install -D -m 644 "build/prebuilt/$name" "$directory/bpf/prebuilt/$name"
	done
	chmod -R u=rwX,go=rX "$directory"
}

build() {
	local version directory wanted="" name
	for name in $TOOLS; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || wanted="$wanted $name"
	done
	[ -z "$wanted" ] || die "missing packages: apt-get install$wanted"
	version=$(sed -n '1s/.*(\(.*\)).*/\1/p' deploy/debian/changelog)
	directory=build/deb/mcastd-$version
	rm -rf build/deb
	stage "$directory"
	(cd "$directory" && PATH=/usr/sbin:/usr/bin:/sbin:/bin dpkg-buildpackage --build=binary --no-sign >../build.log 2>&1) || {
		tail -n 20 build/deb/build.log >&2
		die "dpkg-buildpackage failed (build/deb/build.log)"
	}
	lintian --fail-on error,warning build/deb/*.changes
	rm -rf "$directory"
	ls build/deb/*.deb
}

case ${1:-} in
"") build ;;
--stage) stage "${2:?a directory}" ;;
--tools) echo $TOOLS ;;
*) die "$1: no such option; --stage DIR, --tools" ;;
esac
