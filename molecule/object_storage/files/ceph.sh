#!/bin/bash -eu
# SPDX-FileCopyrightText: 2026 the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# The smallest Ceph there is: a monitor, an object store in memory, and its gateway by S3 with TLS. For tests alone.
set -o pipefail
address=$1
cluster=$(cat /proc/sys/kernel/random/uuid)
cd "$(mktemp -d)"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=s3.example.org \
  -addext subjectAltName=DNS:s3.example.org -keyout /etc/ceph/rgw.key -out /etc/ceph/rgw.crt
chown ceph /etc/ceph/rgw.key

cat > /etc/ceph/ceph.conf <<END
[global]
fsid = $cluster
mon host = $address
mon initial members = a
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw.a]
rgw frontends = beast ssl_port=443 ssl_certificate=/etc/ceph/rgw.crt ssl_private_key=/etc/ceph/rgw.key
rgw thread pool size = 64
END

ceph-authtool --create-keyring monitor.keyring --gen-key -n mon. --cap mon 'allow *'
ceph-authtool --create-keyring admin.keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *'
ceph-authtool monitor.keyring --import-keyring admin.keyring
monmaptool --create --add a "$address" --fsid "$cluster" monitors
install -d -o ceph -g ceph /var/lib/ceph/mon/ceph-a /var/lib/ceph/osd/ceph-0 /var/lib/ceph/radosgw/ceph-rgw.a
chmod 0755 . && chown -R ceph:ceph .
runuser -u ceph -- ceph-mon --mkfs -i a --monmap monitors --keyring monitor.keyring
systemctl start ceph-mon@a
install -m 0600 admin.keyring /etc/ceph/ceph.client.admin.keyring

store=$(cat /proc/sys/kernel/random/uuid)
timeout 60 ceph osd new "$store" 0
ceph auth get-or-create osd.0 mon 'allow profile osd' osd 'allow *' -o /var/lib/ceph/osd/ceph-0/keyring
ceph auth get-or-create client.rgw.a mon 'allow rw' osd 'allow rwx' -o /var/lib/ceph/radosgw/ceph-rgw.a/keyring
chown -R ceph:ceph /var/lib/ceph/osd /var/lib/ceph/radosgw
runuser -u ceph -- ceph-osd -i 0 --mkfs --osd-uuid "$store"
systemctl start ceph-osd@0
systemctl start ceph-radosgw@rgw.a
for ((try = 0; try < 60; try++)); do
  (exec 3<> /dev/tcp/127.0.0.1/443) 2> /dev/null && exit 0
  sleep 1
done
echo "the gateway did not start within 60 s" >&2
exit 1
