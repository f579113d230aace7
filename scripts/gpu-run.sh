#!/usr/bin/env bash
# run.sh check|bench [FOLDER]: the checks or the benchmarks on this machine's first GPU, out of the packed folder. Results go to
# FOLDER/<card>/ as JSON, with date and commit. Needs nothing but the driver.
set -uo pipefail
EXIT_RL_GPU_BEGAN=${EXIT_RL_GPU_BEGAN:-$(date +%s)}
export EXIT_RL_GPU_BEGAN
here=$(cd "$(dirname "$0")" && pwd)
what=${1:?usage: run.sh check|bench [FOLDER]}
out=${2:-$here/results}
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
# Unpacked once for every payload.
root=$here/unpacked
sum=$(cksum < "$here/payload.tar.gz") || exit 1
if [[ $(cat "$root/payload.cksum" 2> /dev/null) != "$sum" ]]; then
  rm -rf "$root"
  mkdir -p "$root" && tar -xzf "$here/payload.tar.gz" -C "$root" || exit 1
  echo "$sum" > "$root/payload.cksum"
fi
export EXIT_RL_CUDA_PLUGIN=${EXIT_RL_CUDA_PLUGIN:-$root/build/Release/libexit_rl_cuda.so}
export EXIT_RL_FIXTURES=$root/test/fixtures
cd "$root" || exit 1
exec ./node scripts/gpu-check.mjs "$what" "$out"
