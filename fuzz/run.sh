#!/bin/sh
# Fuzzes one target on stable Rust.
#
#     fuzz/run.sh onnx_importer|caffe_importer|hbm_loader [SECONDS]
#
# Seeds are the networks of the repository and, for the .hbm, what hb_compile makes of the example (built on demand). The corpus and
# what crashes stay in fuzz/corpus and fuzz/artifacts.
set -eu
target=$1
seconds=${2:-600}
cd "$(dirname "$0")"
# cargo fuzz sets RUSTFLAGS, which replace those of .cargo/config.toml: the path of libMLIR among them.
LD_LIBRARY_PATH=/usr/lib/llvm-22/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-fuzz
mkdir -p "corpus/$target"
case $target in
onnx_importer)
    for network in ../examples/digits/model.onnx ../tests/data/operators/*/*.onnx; do
        cp "$network" "corpus/$target/$(basename "$(dirname "$network")")-$(basename "$network")"
    done
    ;;
caffe_importer)
    # A zero parts the text from the weights.
    for network in ../tests/data/caffe/*/*.prototxt; do
        seed="corpus/$target/$(basename "$(dirname "$network")")-$(basename "$network" .prototxt)"
        { cat "$network"; printf '\0'; cat "${network%.prototxt}.caffemodel"; } >"$seed"
    done
    ;;
hbm_loader)
    if [ ! -e "corpus/$target/digits.hbm" ]; then
        scratch=$(mktemp -d)
        cp -r ../examples/digits "$scratch"
        cargo build --quiet --manifest-path ../Cargo.toml --package hb-tools --bin hb_compile
        ../target/debug/hb_compile --quiet -c "$scratch/digits/config.yaml"
        cp "$scratch/digits/model_output/digits.hbm" "corpus/$target"
        rm -r "$scratch"
    fi
    ;;
esac
# No sanitizer: those need a nightly compiler, and most of the code is safe Rust. Coverage flags are stable.
exec cargo fuzz run --sanitizer none --release "$target" -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=100000 -print_final_stats=1
