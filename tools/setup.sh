#!/bin/sh
# Installs the packages that building and testing hb needs, and what of Rust they need, and says which. Does nothing when all are there.
set -eu

# The compilers and the linker (clang for the shim: docs/decisions/0002-linking.md); MLIR, LLVM and their tools (mlir-tblgen,
# FileCheck, lit); libclang, which bindgen reads headers with; what libMLIR and libLLVM link to; a linker for the board's CPU and what
# runs its programs here (tests/board.rs); a browser, and a Python that installs what it opens (tools/browser/).
packages="chromium chromium-driver python3-venv gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user build-essential clang-22 llvm-22-dev libmlir-22-dev mlir-22-tools llvm-22-tools libclang-22-dev libpolly-22-dev libzstd-dev zlib1g-dev"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not a Debian system. Install LLVM 22 and MLIR 22 under /usr/lib/llvm-22, or change .cargo/config.toml." >&2
    echo "setup: the Debian packages would be: $packages" >&2
    exit 1
fi

missing=""
for package in $packages; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
        missing="$missing $package"
    fi
done

if [ -n "$missing" ]; then
    as_root=""
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "setup: needs root to install:$missing" >&2
            echo "setup: run as root: apt-get update && apt-get install$missing" >&2
            exit 1
        fi
        as_root=sudo
    fi
    echo "setup: installing$missing"
    $as_root apt-get update -q
    # shellcheck disable=SC2086 # one word per package
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; then
        echo "setup: apt-get failed. Debian 12 has LLVM 22 in bookworm-security: is it among the apt sources?" >&2
        exit 1
    fi
else
    echo "setup: every Debian package is there"
fi

# Tools that only rustup installs.
PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
if ! command -v cargo >/dev/null 2>&1; then
    echo "setup: cargo is missing. Install Rust as https://rustup.rs says." >&2
    exit 1
fi
# The build compiles the routines of the board (runtime/) for its CPU.
board=aarch64-unknown-linux-gnu
if ! command -v rustup >/dev/null 2>&1; then
    echo "setup: there is no rustup. Rust's library for $board must come from where Rust came from."
fi
if command -v rustup >/dev/null 2>&1 && ! rustup target list --installed | grep -qx $board; then
    echo "setup: adding Rust's library for $board"
    rustup target add $board
fi
for component in rustfmt clippy; do
    if ! cargo "$(echo $component | sed s/rustfmt/fmt/)" --version >/dev/null 2>&1; then
        echo "setup: adding the Rust component $component"
        rustup component add $component
    fi
done
