#!/bin/bash
# Makes build/mcastd.cdx.json: what an installed mcastd consists of, in CycloneDX. The agent's dependencies are
# installed into an environment of their own, so that nothing of this machine's is among them. libbpf, which
# is linked, is not Python's: the Debian package names it in its dependencies.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly OURS=build/sbom/environment TOOL=build/sbom/tool OUT=build/mcastd.cdx.json

mkdir -p build/sbom
[ -x "$TOOL/bin/cyclonedx-py" ] || {
	python3 -m venv "$TOOL"
	"$TOOL/bin/pip" install --disable-pip-version-check -q "cyclonedx-bom>=4.5"
}
rm -rf "$OURS"
python3 -m venv --without-pip "$OURS"
dependencies=$(python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"])')
# shellcheck disable=SC2086
"$TOOL/bin/pip" --python "$OURS/bin/python" install --disable-pip-version-check -q $dependencies
"$TOOL/bin/cyclonedx-py" environment --pyproject pyproject.toml --output-reproducible --validate \
	-o "$OUT" "$OURS/bin/python" >build/sbom/log 2>&1 || { tail -n 5 build/sbom/log >&2; exit 1; }
echo "$OUT"
