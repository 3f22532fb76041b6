#!/bin/sh
# From model.onnx to accuracy and latency, with the commands that a user would type. `make demo` calls it.
#
#     examples/digits/demo.sh [FOLDER_OF_THE_BUILT_TOOLS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "${1:-$here/../../target/release}" && pwd)
cd "$here"

run() {
    echo
    echo "\$ $*"
    command=$1
    shift
    "$tools/$command" "$@"
}

results=model_output/results
run hb_compile -c config.yaml
mkdir -p "$results"
run hb_sim infer model.onnx --input image=data/test --output-dir "$results/float"
run hb_sim infer model_output/digits.hbm --input image=data/test --output-dir "$results/quantized"
run hb_sim perf model_output/digits.hbm
"$tools/hb_sim" perf model_output/digits.hbm --json >"$results/perf.json"

echo
"$tools/examples/digits-report" "$results/float/logits.npy" "$results/quantized/logits.npy" data/test_labels.npy "$results/perf.json"
