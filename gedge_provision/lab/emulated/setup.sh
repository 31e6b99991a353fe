#!/bin/sh
# Run by mmdebstrap as its last hook; $1 is the root of the new tree.
set -eu
root=$1

# Identity belongs to a node: it arrives at each boot as systemd credentials (host name, network, keys).
: > "$root/etc/machine-id"
rm -f "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/etc/hostname" "$root/etc/hosts" "$root/etc/resolv.conf"
ln -s /run/credentials/@system "$root/etc/gedge-lab"

# No local logins, no housekeeping: each costs seconds of an emulated processor.
chroot "$root" systemctl --quiet mask console-getty.service getty@.service serial-getty@.service \
  e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
  systemd-networkd-wait-online.service systemd-pstore.service systemd-hwdb-update.service systemd-update-utmp.service \
  grub-common.service

# Installed for the roles to configure and start, as on a host where apt has just put them.
chroot "$root" systemctl --quiet disable haproxy.service keepalived.service iperf3.service nftables.service

chroot "$root" systemctl --quiet enable ssh.service systemd-networkd.service

# The boot disk: GRUB as a BIOS starts it, the kernel by its links. `update-grub` on the node replaces the settings.
printf 'virtio_pci\nvirtio_blk\next4\n' >> "$root/etc/initramfs-tools/modules"
chroot "$root" update-initramfs -u
(cd "$root" && ln -sf boot/vmlinuz-* vmlinuz && ln -sf boot/initrd.img-* initrd.img)
printf 'LABEL=gedge-root / ext4 noatime 0 0\n' > "$root/etc/fstab"
mkdir -p "$root/boot/grub"
. "$root/etc/default/grub.d/10-gedge-lab.cfg"
printf '%s\n' "linux /vmlinuz root=LABEL=gedge-root ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT" \
  'initrd /initrd.img' boot > "$root/boot/grub/grub.cfg"
cp -r "$root/usr/lib/grub/i386-pc" "$root/boot/grub/" # what grub-mkconfig's menu entries load
chroot "$root" grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o /boot/grub/core.img \
  biosdisk part_msdos ext2 normal linux configfile serial echo test search search_label search_fs_uuid

# The node reaches no mirror, and the host's sources may hold credentials.
rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*.bin
rm -rf "$root"/var/log/*.log "$root"/var/log/apt "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
# All that a first boot would compute from /usr is there already.
touch "$root/etc/.updated" "$root/var/.updated"
