#!/usr/bin/python
# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_job
short_description: Deploy a job of encrypted backups for a PostgreSQL or MariaDB server
description:
  - Makes everything that a job of encrypted backups consists of. That is the operating-system account
    C(bulwark-backup), without password and shell; the job's folders, each open to nobody who does not need it; the
    program and the job's file; and systemd services and timers.
  - A full backup is taken each day, streamed through C(zstd) and C(age) or GnuPG to public keys. The host can't read
    its own backups. For PostgreSQL, WAL that the server archives into an anteroom is carried to the store each minute.
  - The services run as C(bulwark-backup), without network, and may write to the job's own folders only. That of
    MariaDB may read every file (C(CAP_DAC_READ_SEARCH)), because C(mariadb-backup) copies the data directory.
  - Refused, before anything changes, are keys of C(age) with a typing error; keys of OpenPGP that have expired, were
    revoked or can't be encrypted to; secret keys in place of public ones; fewer than two of them, none that is held
    offline, a store within the data directory or around it, tablespaces of PostgreSQL, and a host that lacks a program.
  - The database's own side, which is its account, C(archive_mode) and C(archive_command), is left to other modules. The
    role P(bulwark.database.encrypted_backup#role) does both.
notes:
  - The job's file holds nothing secret. For PostgreSQL everybody on the host may read it, because the server's account
    runs C(archive_command).
  - A folder on the way to O(store), O(state_path) and O(incoming_path) that is not there is made; everybody may pass
    through it, and only root may look around in it.
author:
  - The bulwark.database authors (@bulwark-database)
extends_documentation_fragment:
  - bulwark.database._attributes
  - bulwark.database._attributes.actiongroup_all
options:
  name:
    description:
      - Name of the job, and part of the names of its files and units. Small letters, digits and hyphens, 40 at most.
    type: str
    default: main
  state:
    description:
      - With V(absent) the units and files of the job are removed. Its store with all backups, its state, what waits in
        its anteroom, the program and the account stay.
      - Reset the server's C(archive_command) before, or WAL piles up on it.
    type: str
    choices: [present, absent]
    default: present
  engine:
    description:
      - What makes the backup. V(postgresql) seals the stream of C(pg_basebackup), V(mariadb) that of C(mariadb-backup).
      - V(pgbackrest) has pgBackRest back PostgreSQL up into an encrypted repository below O(store). Its passphrase is
        on the host. The role P(bulwark.database.encrypted_backup#role) makes passphrase and keys.
      - Needed with O(state=present).
    type: str
    choices: [postgresql, mariadb, pgbackrest]
  server:
    description:
      - Where the server lives on this host, as M(bulwark.database.postgresql_server_info) and
        M(bulwark.database.mariadb_server_info) say. Needed with O(state=present).
    type: dict
    suboptions:
      socket:
        description: The folder of PostgreSQL's socket, or MariaDB's socket itself.
        type: str
      port:
        description: PostgreSQL's port, which is part of its socket's name.
        type: int
        default: 5432
      binaries:
        description: Folder of PostgreSQL's own programs.
        type: str
      data_directory:
        description: The server's data directory. Its owner is the account that the server runs as.
        type: str
      defaults_file:
        description: MariaDB's option file.
        type: str
      unit:
        description:
          - The service that PostgreSQL runs in. It gets a drop-in, so that C(archive_command) may write to
            O(incoming_path) where the service is sandboxed. It works from the service's next start on, see
            RV(restart_pending).
          - Empty for none.
        type: str
        default: ''
      heartbeat_database:
        description:
          - A database in which C(bulwark-backup) commits an empty transaction each minute, so that a server without
            load can be recovered to any moment, too. Recovery stops at a commit after the moment that is asked for,
            and fails where none comes.
          - It needs C(CONNECT) and nothing else, and writes nothing but its own end to the WAL. Empty for no heartbeat.
        type: str
        default: ''
      wal_segment_bytes:
        description: Size of PostgreSQL's WAL segments, for O(engine=pgbackrest).
        type: int
        default: 16777216
  repository:
    description: Of O(engine=pgbackrest).
    type: dict
    suboptions:
      between:
        description:
          - What is made at O(repository.between_at), sets of what changed since the last full one (V(differential)) or
            since the last one of any kind (V(incremental)).
        type: str
        choices: [differential, incremental]
        default: differential
      between_at:
        description: Times of day, in O(time_zone). By default there are none.
        type: list
        elements: str
        default: []
      processes:
        description: How many processes copy at the same time.
        type: int
        default: 1
      port:
        description:
          - Port at which the repository takes WAL, on the loopback address from the server's own account, or with
            O(repository.side) on O(repository.address) from the database's host.
        type: int
        default: 8432
      side:
        description:
          - Which part of the job this host has. V(together) is all of it.
          - V(repository) is the repository, its passphrase and the services that make backups, of a server on another
            host, whose places O(server) names. V(database) is what that host needs to be read and to push its WAL. It
            gets no passphrase, and reaches an anteroom of the repository alone.
        type: str
        choices: [together, database, repository]
        default: together
      address:
        description: IP address of the repository's host, where there are two.
        type: str
        default: ''
      source_address:
        description: IP address of the database's host, where there are two.
        type: str
        default: ''
      source_port:
        description: Port of O(repository.source_address) at which the repository's host reads the database.
        type: int
        default: 8433
  store:
    description: Folder of the backups. Default is C(/var/backups/bulwark/NAME). Better is a file system of its own.
    type: str
  state_path:
    description: Folder of the job's history and lock. Default is C(/var/lib/bulwark/backup/NAME).
    type: str
  incoming_path:
    description: The anteroom for archived WAL. Default is C(/var/lib/bulwark/incoming/NAME).
    type: str
  cluster:
    description:
      - For a node of a Galera cluster, of which one makes the full backup while the others stand aside. Each node has
        the job and starts at the same time; one that is Synced and no writer makes the backup, the first of
        O(cluster.nodes) if it can.
      - They agree by a row of the table C(bulwark_backup.leases), which has to be there. The role
        P(bulwark.database.encrypted_backup#role) makes it.
      - A run in which no node made the backup fails on all nodes that are up.
    type: dict
    suboptions:
      nodes:
        description: Names of all nodes (C(wsrep_node_name)), in order of preference. The same on all of them.
        type: list
        elements: str
        required: true
      writers:
        description: Those of them that clients write to. They make no backup.
        type: list
        elements: str
        default: []
      wait_seconds:
        description: How long each waits for the one before it on the list.
        type: int
        default: 30
  point_in_time:
    description:
      - Whether MariaDB's binary logs are followed and stored, so that any moment between full backups can be restored.
        The server has to keep them (C(log_bin)), on a Galera node with what other nodes write (C(log_slave_updates)).
      - For PostgreSQL its C(archive_command) decides, and this option nothing.
    type: bool
    default: true
  offsite:
    description:
      - Host that copies of the store are sent to each minute, by SSH. There a forced command of the role
        P(bulwark.database.backup_repository#role) takes what is new. It overwrites and removes nothing.
      - The private key and the host's public key are expected at C(/etc/bulwark/backup/NAME.offsite/key) and
        C(known_hosts) beside it, readable for C(bulwark-backup). The role P(bulwark.database.encrypted_backup#role)
        puts them there. As long as there is no key, nothing is sent.
      - The name is resolved now, on this host. The service that sends reaches the addresses found and no other, not
        even a name server; a host that moves needs another run.
    type: dict
    suboptions:
      host:
        description: Name or address of the host.
        type: str
        required: true
      port:
        description: Its port of SSH.
        type: int
        default: 22
      user:
        description: The account there.
        type: str
        default: bulwark-copies
  object_storage:
    description:
      - Bucket that copies of the store are put into each minute by C(rclone), in place of O(offsite). Each is read back
        and its SHA-256 compared, when it was put and when that is a week ago.
      - The bucket has to lock what is put there, by object lock with a default retention of O(keep_days) and one day
        more, and the credentials may neither delete objects nor remove versions. What is otherwise is refused before
        anything changes, and so is an endpoint that does not answer. The lock is looked at again whenever something is
        sent.
      - The name is resolved now, on this host. The service that sends reaches the addresses found and no other, not
        even a name server; an endpoint that moves needs another run.
      - The credentials are in C(/etc/bulwark/backup/NAME.bucket/rclone.conf), which only C(bulwark-backup) can read.
    type: dict
    suboptions:
      endpoint:
        description: Such as V(https://s3.example.org) or V(https://s3.example.org:8443). None is used without TLS.
        type: str
        required: true
      bucket:
        description: Name of the bucket. It has to be there.
        type: str
        required: true
      prefix:
        description: What the names of objects begin with, without a slash at the end. No other job may have the same.
        type: str
        required: true
      region:
        description: As the endpoint calls it. Many take any.
        type: str
        default: us-east-1
      access_key:
        description: Name of the credentials.
        type: str
        required: true
      secret_key:
        description: The secret of the credentials.
        type: str
        required: true
      ca:
        description:
          - File on this host with the certificates that the endpoint's is signed by. C(bulwark-backup) has to be able
            to read it. Empty for those that the host trusts.
        type: path
        default: ''
  sealing:
    description:
      - What encrypts the backups. All recipients of a job are of its kind.
      - A job may be moved from one to the other. What it sealed before stays valid, is pruned when its time comes, and
        is opened by what its name ends in (C(.age), C(.gpg)). C(RESTORE.txt) has both.
    type: str
    choices: [age, gnupg]
    default: age
  recipient_keys:
    description:
      - Public keys of OpenPGP as text, as C(gpg --armor --export) prints it, one or several in each. Needed with
        O(sealing=gnupg), for each of O(recipients) and O(escrow_recipients). Others that are among them are left out.
      - They are put beside the job's file and used for nothing else. No keyring, no trust database and no key server is
        asked.
      - GnuPG encrypts to no key that has expired. Then the job fails, and PostgreSQL keeps WAL that it can't archive.
        Give the renewed key before. A warning of this module and the weekly verification tell of it 30 days ahead.
    type: list
    elements: str
    default: []
  recipients:
    description:
      - Those who restore. Public keys (C(age1...)), or with O(sealing=gnupg) fingerprints of OpenPGP (40 digits).
    type: list
    elements: str
    default: []
  escrow_recipients:
    description:
      - The same of keys whose secret ones are held offline, in a safe for example, for the day on which all other
        places are lost. At least one, and none that is in O(recipients).
    type: list
    elements: str
    default: []
  keep_days:
    description: Days back of which any moment can be restored.
    type: int
    default: 7
  compression_level:
    description: Level of C(zstd), 1 to 19.
    type: int
    default: 1
  deadline_seconds:
    description: How long a full backup may take. systemd ends one that is not at its end 300 seconds later.
    type: int
    default: 21600
  minimum_free_percent:
    description: A backup that would leave less room than this on the store's file system is not taken.
    type: int
    default: 10
  smallest_share:
    description: A full backup smaller than this share of the median of earlier ones counts as failed.
    type: float
    default: 0.5
  full_at:
    description: Time of day of the full backup. A host that was off then makes up for it.
    type: str
    default: '00:00'
  time_zone:
    description: Time zone that O(full_at) is meant in.
    type: str
    default: UTC
  randomized_delay:
    description: Seconds at most that are added to O(full_at) at random, so that many hosts don't start at once.
    type: int
    default: 0
  verify_weekly:
    description:
      - Whether every byte of the store is read each Sunday at 12:00 of O(time_zone), up to an hour later, and compared
        with what was written. What is not, is a failure of C(bulwark-backup-NAME-verify.service).
    type: bool
    default: true
  on_failure_units:
    description: Units that systemd starts when one of the job's services fails, such as V(backup-alert@%n.service).
    type: list
    elements: str
    default: []
requirements:
  - systemd
  - Python 3.9 or newer as C(/usr/bin/python3)
  - zstd; age, or GnuPG 2.2 or newer (C(gpg))
  - for PostgreSQL, pg_basebackup and psql of the server's version
  - for MariaDB, mariadb-backup
  - for O(object_storage), rclone 1.60 or newer
  - for O(engine=pgbackrest), pgBackRest 2.45 or newer
"""

EXAMPLES = r"""
- name: Ask the server where it lives
  bulwark.database.postgresql_server_info:
  become: true
  register: found

- name: Back it up each night
  bulwark.database.backup_job:
    engine: postgresql
    server:
      socket: /var/run/postgresql
      binaries: "{{ found.server.bin_directory }}"
      data_directory: "{{ found.server.settings.data_directory }}"
      unit: "{{ found.server.unit }}"
      heartbeat_database: postgres
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    escrow_recipients: [age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l]
    on_failure_units: [backup-alert@%n.service]
  become: true

- name: Back a MariaDB server up at half past one in Berlin
  bulwark.database.backup_job:
    name: shop
    engine: mariadb
    server:
      socket: /run/mysqld/mysqld.sock
      data_directory: /var/lib/mysql
      defaults_file: /etc/mysql/my.cnf
    store: /srv/backup/shop
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    escrow_recipients: [age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l]
    full_at: "01:30"
    time_zone: Europe/Berlin
  become: true

- name: Seal by GnuPG, where a site requires it
  bulwark.database.backup_job:
    name: shop
    engine: mariadb
    server:
      socket: /run/mysqld/mysqld.sock
      data_directory: /var/lib/mysql
      defaults_file: /etc/mysql/my.cnf
    sealing: gnupg
    recipients: [E0310B2F3251813B539001E258BC8A9D830E3334]
    escrow_recipients: [9A72A195DDA462775987C7F98AD6D53A982265F8]
    recipient_keys:
      - "{{ lookup('ansible.builtin.file', 'keys/restore.asc') }}"
      - "{{ lookup('ansible.builtin.file', 'keys/escrow.asc') }}"
  become: true

- name: Put copies into a bucket that gives nothing up before its time
  bulwark.database.backup_job:
    engine: mariadb
    server:
      socket: /run/mysqld/mysqld.sock
      data_directory: /var/lib/mysql
      defaults_file: /etc/mysql/my.cnf
    recipients: [age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p]
    escrow_recipients: [age1zevnhzpn4m4gpcmps2nlshz6775hq8rj2ldvujg9a000c4r2vs6shn5l2l]
    object_storage:
      endpoint: https://s3.example.org
      bucket: database-copies
      prefix: db1/main
      access_key: "{{ vault_copies_access_key }}"
      secret_key: "{{ vault_copies_secret_key }}"
  become: true

- name: Take the job away; its backups stay
  bulwark.database.backup_job:
    name: shop
    state: absent
  become: true
"""

RETURN = r"""
job_file:
  description: The file that describes the job.
  returned: O(state=present)
  type: str
  sample: /etc/bulwark/backup/main.json
store:
  description: Folder of the backups.
  returned: O(state=present)
  type: str
  sample: /var/backups/bulwark/main
units:
  description: Services and timers.
  returned: O(state=present)
  type: list
  elements: str
  sample: [bulwark-backup-main.service, bulwark-backup-main.timer]
archive_command:
  description: What PostgreSQL's parameter of that name is to be. An empty string for MariaDB.
  returned: O(state=present)
  type: str
restart_pending:
  description: Whether the running server is in a sandbox in which C(archive_command) can't write to the anteroom yet.
  returned: O(state=present)
  type: bool
outgoing:
  description:
    - All that C(bulwark-backup) has to connect to, for all jobs of the host, as
      O(bulwark.database.packet_filter#module:outgoing[].destinations) takes it.
  returned: O(state=present)
  type: list
  elements: dict
  sample: [{port: 22, networks: [192.0.2.7]}]
incoming:
  description:
    - Ports at which other hosts have to reach this one, for all jobs of the host, as
      O(bulwark.database.packet_filter#module:ports) takes it. Empty where no job has a part on another host.
  returned: O(state=present)
  type: list
  elements: dict
  sample: [{port: 8432, networks: [192.0.2.8], comment: backup main}]
changes:
  description: What was changed, or would be.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.bulwark.database.plugins.module_utils._module.backup_job import job_options, subject
from ansible_collections.bulwark.database.plugins.module_utils._module.runner import opened, run


def main() -> None:
    module = AnsibleModule(argument_spec=job_options(), supports_check_mode=True)
    run(module, lambda: opened(subject(module.params)))


if __name__ == "__main__":
    main()
