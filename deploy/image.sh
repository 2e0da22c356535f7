#!/bin/bash
# Builds the image of a container into build/image: a minimal Debian of the release that this is, the
# package of this checkout, and nothing that could compile. No registry is asked.
#
#   deploy/image.sh          builds; `podman load` and `docker load` take what comes out
#   deploy/image.sh DIR      the same, of packages that were built before
#
# Kubernetes gives the capabilities of a pod to no user but root, unless the program's file grants them.
# So the interpreter's file grants the four of the service, as far as the container may have them, and
# only `mcastd run` takes them up. No program in the image changes the user.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PLACE=build/image
# Its number is in the manifests: Kubernetes must know without asking that it is not root.
readonly USER_ID=9776

say() { printf 'image: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

capabilities() {
	sed -n 's/^AmbientCapabilities=//p' deploy/systemd/mcastd.service | tr 'A-Z ' 'a-z,'
}

archive() {
	apt-get indextargets --format '$(REPO_URI)' | sed -n 's,/debian/*$,/debian,p' | head -n 1
}

# Nothing of it is read at run time, and none of it is asked for by the licences but the copyright files.
readonly UNREAD="/usr/share/doc/* /usr/share/man/* /usr/share/info/* /usr/share/locale/* /usr/share/lintian/*
	/usr/share/bash-completion/* /usr/share/fish/* /usr/share/zsh/* /usr/share/i18n/*"

tree() {
	local suite=$1 packages=$2 name excluded=() mirror
	mirror=$(archive)
	[ -n "$mirror" ] || die "apt knows no archive of Debian: name one in /etc/apt/sources.list"
	set -f
	for name in $UNREAD; do excluded+=("--dpkgopt=path-exclude=$name"); done
	set +f
	mkdir "$PLACE/packages"
	cp "$packages"/mcastd_*.deb "$PLACE/packages"
	(cd "$PLACE/packages" && dpkg-scanpackages --multiversion . >Packages 2>/dev/null)
	# usrmerge would bring all of Perl, for a tree that is merged from the start.
	printf 'Package: usrmerge\nPin: version *\nPin-Priority: -1\n' >"$PLACE/preferences"
	# systemd itself would come with what makes the package's user.
	mmdebstrap --quiet --variant=essential --include=mcastd,systemd-standalone-sysusers \
		--aptopt='APT::Install-Recommends "false"' --aptopt='APT::Sandbox::User "root"' \
		--dpkgopt=force-unsafe-io "${excluded[@]}" --dpkgopt='path-include=/usr/share/doc/*/copyright' \
		--skip=cleanup/apt --skip=cleanup/run \
		--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
		--setup-hook="install -D -m 644 $PLACE/preferences \"\$1/etc/apt/preferences.d/mcastd\"" \
		--essential-hook="echo mcastd:x:$USER_ID: >>\"\$1/etc/group\"" \
		--essential-hook="echo mcastd:x:$USER_ID:$USER_ID::/run/mcastd:/usr/sbin/nologin >>\"\$1/etc/passwd\"" \
		--customize-hook="deploy/image/finish.sh \"\$1\" $(capabilities) $USER_ID" \
		"$suite" "$PLACE/tree.tar" "$mirror" "deb [trusted=yes] copy:$PWD/$PLACE/packages ./"
}

build() {
	local packages=$1 suite version store podman
	[ "$(id -u)" = 0 ] || die "as root: files of the image grant capabilities"
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	version=$(sed -n '1s/.*(\(.*\)).*/\1/p' deploy/debian/changelog)
	rm -rf "$PLACE"
	mkdir -p "$PLACE"
	[ -n "$packages" ] || { deploy/deb.sh >&2 && packages=build/deb; }
	export SOURCE_DATE_EPOCH
	SOURCE_DATE_EPOCH=$(dpkg-parsechangelog --file deploy/debian/changelog --show-field Timestamp)
	tree "$suite" "$packages"
	store=$(mktemp -d)
	trap "rm -rf '$store'" EXIT
	podman=(podman --root "$store/store" --runroot "$store/run" --storage-driver vfs --events-backend none)
	"${podman[@]}" build --quiet --format docker --timestamp "$SOURCE_DATE_EPOCH" --tag "mcastd:$version" \
		--file deploy/image/Containerfile "$PLACE" >&2
	"${podman[@]}" save --quiet --format docker-archive --output "$PLACE/mcastd-$version.tar" "mcastd:$version"
	rm -rf "$PLACE/packages" "$PLACE/preferences" "$PLACE/tree.tar"
	ls "$PLACE"/*.tar
}

build "${1:-}"
