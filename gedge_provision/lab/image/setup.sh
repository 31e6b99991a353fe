#!/bin/sh
# Run by mmdebstrap as its last hook; $1 is the root of the new tree.
set -eu
root=$1

# Identity belongs to a node, never to the image. An empty machine-id makes systemd take the one of the container.
: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/hostname"

# A node shares the kernel of the host: nothing in it may handle the host's devices, kernel settings or binary formats.
chroot "$root" systemctl --quiet mask systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
  systemd-udev-trigger.service systemd-udev-settle.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount \
  systemd-hwdb-update.service systemd-modules-load.service sys-kernel-debug.mount sys-kernel-tracing.mount
rm -f "$root"/usr/lib/sysctl.d/*.conf "$root"/etc/sysctl.d/*.conf

# No console, no local logins, no housekeeping.
chroot "$root" systemctl --quiet mask console-getty.service getty@.service systemd-logind.service e2scrub_reap.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer

# Installed for the roles to configure and start, as on a host where apt has just put them.
chroot "$root" systemctl --quiet disable haproxy.service keepalived.service iperf3.service nftables.service

chroot "$root" systemctl --quiet enable ssh.service gedge-lab-network.service

# The node reaches no mirror, and the host's sources may hold credentials.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
rm -rf "$root"/var/log/*.log "$root"/var/log/apt "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
