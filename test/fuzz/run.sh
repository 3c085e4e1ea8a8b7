#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the fuzzers, one after the other:
#   FUZZ_SECONDS=60 FUZZ_SEED=1 test/fuzz/run.sh [TARGET...]
# FUZZ_SECONDS is the sum for all targets. The targets in C are run by libFuzzer where clang has it (Debian: clang and
# libclang-rt-VERSION-dev), else, and with FUZZ_ENGINE=driver, by test/fuzz/native/driver.c. Inputs that find something
# are saved in build/fuzz/findings; the exit code is then 1. To repeat one: build/fuzz/TARGET FILE for a target in C,
# node build/fuzz/fuzz.mjs repeat TARGET FILE for the others.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${FUZZ_SECONDS:-60}
seed=${FUZZ_SEED:-$RANDOM}
out=build/fuzz
findings=$out/findings
native_targets=(plan_decode json_read)
targets=("$@")
[ "$#" -gt 0 ] || targets=("${native_targets[@]}" json config manifest)

declare -A sources=(
  [plan_decode]="" # includes what it tests
  [json_read]="native/core/json.c native/core/json_keys.c native/core/utf8.c native/core/text.c native/core/io.c native/core/support.c"
)
flags=(-std=gnu17 -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined -D_GNU_SOURCE -I. -Inative -Ibuild -Ibuild/gen)
# Whatever ends the process, the input is to be saved: AddressSanitizer sees to that, also for abort(), and gcc's
# UndefinedBehaviorSanitizer, which has no such callback, ends by abort().
export ASAN_OPTIONS=handle_abort=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:abort_on_error=1

has_libfuzzer() {
  echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n > 9; }' |
    clang -x c -fsanitize=fuzzer,address -o $out/probe - 2>/dev/null
}

build_native() {
  # shellcheck disable=SC2086
  if [ "$engine" = libfuzzer ]; then
    clang "${flags[@]}" -fsanitize=fuzzer,address,undefined -o "$out/$1" "test/fuzz/native/$1.c" ${sources[$1]} -lsodium -lm
  else
    # The driver itself is not instrumented: its edges are not the target's.
    gcc "${flags[@]}" -Wall -Wextra -Werror -c -o $out/driver.o test/fuzz/native/driver.c
    gcc "${flags[@]}" -fsanitize=address,undefined -fsanitize-coverage=trace-pc -o "$out/$1" "test/fuzz/native/$1.c" \
      ${sources[$1]} $out/driver.o -lsodium -lm
  fi
}

# What it prints goes to a file: libFuzzer says a lot, and only a finding is of interest.
run_native() {
  local log=$out/$1.log
  if [ "$engine" = libfuzzer ]; then
    mkdir -p "$out/corpus/$1"
    "$out/$1" -max_total_time="$2" -seed="$seed" -timeout=10 -max_len=65536 -verbosity=0 -print_final_stats=1 \
      -artifact_prefix="$findings/$1-" "$out/corpus/$1" "$out/seeds/$1" >"$log" 2>&1 || { cat "$log" && return 1; }
    sed -n 's/^stat::number_of_executed_units: *\(.*\)/\1 inputs/p' "$log"
  else
    "$out/$1" "$out/seeds/$1" "$findings/$1-" "$2" "$seed" >"$log" 2>&1 || { cat "$log" && return 1; }
    cat "$log"
  fi
}

mkdir -p "$findings"
engine=driver
if [ "${FUZZ_ENGINE:-libfuzzer}" = libfuzzer ] && has_libfuzzer; then engine=libfuzzer; fi
make --no-print-directory --quiet addon
node_modules/.bin/esbuild test/fuzz/main.ts --bundle --platform=node --format=esm --packages=external \
  --log-level=warning --outfile=$out/fuzz.mjs
rm -rf $out/seeds
node $out/fuzz.mjs seeds $out/seeds

each=$(((seconds + ${#targets[@]} - 1) / ${#targets[@]}))
failed=()
for target in "${targets[@]}"; do
  if [[ " ${native_targets[*]} " == *" $target "* ]]; then
    echo "fuzz $target: $each s, seed $seed, $engine"
    build_native "$target"
    run_native "$target" "$each" || failed+=("$target")
  else
    echo "fuzz $target: $each s, seed $seed"
    node $out/fuzz.mjs run "$target" "$each" "$seed" $findings || failed+=("$target")
  fi
done
if [ "${#failed[@]}" -gt 0 ]; then
  echo "findings in: ${failed[*]}"
  exit 1
fi
echo "no findings"
