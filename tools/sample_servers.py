# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers as they are found in the wild: what the lab's hosts are given before anybody hardens them."""

from __future__ import annotations

import typing as t

# It listens everywhere, trusts loopback, logs every statement, favours PUBLIC.
POSTGRESQL_SQL: t.Final = """
CREATE ROLE shop_owner; CREATE ROLE shop_app LOGIN PASSWORD '{password}';
CREATE DATABASE shop OWNER shop_owner;
ALTER SYSTEM SET listen_addresses = '*'; ALTER SYSTEM SET log_statement = 'all';
ALTER SYSTEM SET log_min_messages = 'debug1'; ALTER SYSTEM SET ssl_min_protocol_version = 'TLSv1';
\\connect shop
CREATE TABLE customers (id int PRIMARY KEY, email text); CREATE TABLE orders (id int PRIMARY KEY, state text);
INSERT INTO customers SELECT n, 'customer' || n || '@example.org' FROM generate_series(1, 1000) AS n;
GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC; GRANT CREATE ON SCHEMA public TO PUBLIC;
"""
POSTGRESQL_RULES: t.Final = "local all all peer\nhost all all 127.0.0.1/32 trust\nhost all all 0.0.0.0/0 md5\n"

# A first cluster as the documentation says, in plaintext, with a log of every statement.
GALERA_FILE: t.Final = "/etc/mysql/mariadb.conf.d/60-galera.cnf"
GALERA_OPTIONS: t.Final = """[galera]
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = shop
wsrep_cluster_address = gcomm://{members}
wsrep_node_name = {name}
wsrep_node_address = {address}
binlog_format = row
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
bind-address = 0.0.0.0
general_log = ON
"""
# root from anywhere, nobody in particular, and the database that everybody may use.
GALERA_SQL: t.Final = """
CREATE DATABASE test; CREATE DATABASE shop; USE shop;
CREATE TABLE customers (id int PRIMARY KEY, email varchar(200));
INSERT INTO customers SELECT seq, CONCAT('customer', seq, '@example.org') FROM seq_1_to_1000;
CREATE USER shop_app@'%' IDENTIFIED BY '{app_password}'; GRANT ALL ON shop.* TO shop_app@'%';
CREATE USER root@'%' IDENTIFIED BY '{root_password}'; GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;
CREATE USER ''@localhost; GRANT ALL ON test.* TO ''@localhost;
"""
