#!/bin/sh
# Runs bench.py with a Python that has onnxruntime: the one at hand, or else one made under target/. Arguments go to bench.py.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
environment=$here/../../target/bench-python
python=python3
if ! "$python" -c 'import numpy, onnx, onnxruntime' 2>/dev/null; then
    python=$environment/bin/python3
    if ! "$python" -c 'import numpy, onnx, onnxruntime' 2>/dev/null; then
        python3 -m venv "$environment"
        "$python" -m pip install --quiet numpy onnx onnxruntime
    fi
fi
exec "$python" "$here/bench.py" "$@"
