# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# To be sourced by demo.sh: how it shows what it does. Each command is shown as it is run, and what it must come to is
# checked: a demo that goes on after a surprise would be a lie.

bold='' dim='' reset='' paint_table=cat
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' reset=$'\e[0m'
  # The verdicts of `edgerun plan`: green, yellow, dim, red.
  paint_table=paint_verdicts
fi

paint_verdicts() {
  sed -e $'s/^+ granted/\e[32m&\e[0m/' -e $'s/^~ clamped/\e[33m&\e[0m/' \
    -e $'s/^- dropped/\e[2m&\e[0m/' -e $'s/^! denied/\e[31m&\e[0m/'
}

fail() {
  echo "demo: $1" >&2
  exit 1
}

chapter_number=0
chapter() {
  chapter_number=$((chapter_number + 1))
  printf '\n%s%d. %s%s\n' "$bold" "$chapter_number" "$1" "$reset"
}

say() { printf '%s\n' "$*"; }

show_command() { printf '%s$%s %s\n' "$dim" "$reset" "$1"; }

# Shows a command and runs it, here: its variables and functions stay. It must succeed.
run() {
  show_command "$1"
  eval "$1" || fail "that should have worked (exit code $?)"
}

# Shows a command, runs it, and shows its exit code. It must fail, and what is shown must match the regular expression.
refused() {
  local expected=$1 output code=0
  show_command "$2"
  output=$(eval "$2" 2>&1) || code=$?
  [ -z "$output" ] || printf '%s\n' "$output" | "$paint_table"
  printf '%s(exit code %d)%s\n' "$dim" "$code" "$reset"
  [ "$code" != 0 ] || fail "that should have been refused"
  grep -Eq -- "$expected" <<<"$output (exit code $code)" || fail "that was refused, but not for the right reason ($expected)"
}

# Shows a command and runs it. It must succeed, and its output must match the regular expression.
shows() {
  local expected=$1 output
  show_command "$2"
  output=$(eval "$2" 2>&1) || fail "that should have worked (exit code $?): $output"
  printf '%s\n' "$output" | "$paint_table"
  grep -Eq -- "$expected" <<<"$output" || fail "that is not what should be there ($expected)"
}

# Waits until a command succeeds, for ten seconds.
wait_for() {
  local attempt
  for ((attempt = 0; attempt < 200; attempt++)); do
    if eval "$2"; then return; fi
    sleep 0.05
  done
  fail "$1: not within ten seconds"
}
