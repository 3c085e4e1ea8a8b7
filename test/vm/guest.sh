#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: the tests of the payload, once with each cgroup driver.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
report=$(echo /dev/vport*p1) # without udev it has no other name

# Emulated processors are slow: what a test waits for may take its time.
export EDGERUN_TEST_PATIENCE=6
. ./environment

echo "# $(uname -r), $(systemctl --version | head -n 1), $(stat -f -c %T /sys/fs/cgroup)"
[ -d host ] && cp -r host/. /
modprobe -a loop overlay fuse 2>/dev/null

for driver in cgroupfs; do
  echo "# cgroups by $driver"
  # One word for each file.
  # shellcheck disable=SC2046
  EDGERUN_TEST_CGROUP_DRIVER=$driver node --test --test-concurrency=1 \
    --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination=/tmp/report.tap $(cat tests)
  cat /tmp/report.tap >$report
done
echo "# end" >$report
