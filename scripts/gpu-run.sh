#!/usr/bin/env bash
# run.sh check|bench [FOLDER]: the checks or the benchmarks on this machine's first GPU, out of the packed folder. Results go to
# FOLDER/<card>/ as JSON, with date and commit. Needs nothing but the driver.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
what=${1:?usage: run.sh check|bench [FOLDER]}
out=${2:-$here/results}
mkdir -p "$out"
if [[ ! -x $here/node ]]; then tar -xzf "$here/payload.tar.gz" -C "$here"; fi
export EXIT_RL_CUDA_PLUGIN=${EXIT_RL_CUDA_PLUGIN:-$here/build/Release/libexit_rl_cuda.so}
export EXIT_RL_FIXTURES=$here/test/fixtures
cd "$here"
exec ./node scripts/gpu-check.mjs "$what" "$out"
