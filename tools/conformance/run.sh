#!/bin/sh
# Runs the cases of ONNX's backend test (main.rs): `run.sh BINARY`. They are those of the package onnx of this version, which is installed
# under target/ if it is not there. HB_BLESS=1 writes known.tsv anew, the list of those that do not pass.
set -eu
version=1.22.0
here=$(cd "$(dirname "$0")" && pwd)
target=$here/../../target
environment=$target/conformance-python
python=$environment/bin/python3
if ! "$python" -c "import onnx; assert onnx.__version__ == '$version'" 2>/dev/null; then
    python3 -m venv "$environment"
    "$python" -m pip install --quiet "onnx==$version"
fi
data=$("$python" -c 'import onnx, os; print(os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data"))')
exec "$1" "$data" "$here/known.tsv" "$target/conformance.tsv"
