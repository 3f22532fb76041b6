#!/bin/sh
# Wall time of each step of the demo. `make bench` calls it.
#
#     examples/digits/bench.sh [FOLDER_OF_THE_BUILT_TOOLS]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "${1:-$here/../../target/release}" && pwd)
cd "$here"
scratch=model_output/bench
mkdir -p "$scratch"

measure() {
    label=$1
    shift
    start=$(date +%s%N)
    "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log" >&2; exit 1; }
    end=$(date +%s%N)
    printf '%-44s %8d ms\n' "$label" $(((end - start) / 1000000))
}

measure "hb_compile" "$tools/hb_compile" -c config.yaml
measure "hb_sim infer model.onnx, 297 samples" "$tools/hb_sim" infer model.onnx --input image=data/test --output-dir "$scratch/float"
measure "hb_sim infer digits.hbm, 297 samples" "$tools/hb_sim" infer model_output/digits.hbm --input image=data/test --output-dir "$scratch/quantized"
measure "hb_sim perf digits.hbm" "$tools/hb_sim" perf model_output/digits.hbm
