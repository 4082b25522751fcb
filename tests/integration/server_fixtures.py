# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for tests: one template a session and kind of server, a fresh running copy for each test that asks."""

from __future__ import annotations

import shutil
import tempfile
import typing as t
from pathlib import Path

import pytest

from private_galera import PrivateGalera
from private_mariadb import PrivateMariaDB
from private_server import PrivateServer


@pytest.fixture(scope="session")
def short_directory() -> t.Iterator[Path]:
    """Below /tmp, because a unix socket's path may have 107 bytes only, and readable by the server's account."""
    directory = Path(tempfile.mkdtemp(prefix="bw-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def template_server(short_directory: Path) -> PrivateServer:
    server = PrivateServer(short_directory / "template")
    server.create()
    return server


@pytest.fixture
def stopped_server(short_directory: Path, template_server: PrivateServer) -> t.Iterator[PrivateServer]:
    server = PrivateServer(Path(tempfile.mkdtemp(prefix="s", dir=short_directory)))
    server.copy_of(template_server)
    yield server
    server.destroy()


@pytest.fixture
def server(stopped_server: PrivateServer) -> PrivateServer:
    """A fresh cluster, running."""
    stopped_server.start()
    return stopped_server


@pytest.fixture(scope="module")
def shared_server(short_directory: Path, template_server: PrivateServer) -> t.Iterator[PrivateServer]:
    """One running cluster for a whole test file: for tests that only read, or clean up behind themselves."""
    server = PrivateServer(Path(tempfile.mkdtemp(prefix="m", dir=short_directory)))
    server.copy_of(template_server)
    server.start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def template_mariadb(short_directory: Path) -> PrivateMariaDB:
    server = PrivateMariaDB(short_directory / "template-mariadb")
    server.create()
    return server


@pytest.fixture
def stopped_mariadb(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[PrivateMariaDB]:
    server = PrivateMariaDB(Path(tempfile.mkdtemp(prefix="d", dir=short_directory)))
    server.copy_of(template_mariadb)
    yield server
    server.destroy()


@pytest.fixture
def mariadb(stopped_mariadb: PrivateMariaDB) -> PrivateMariaDB:
    """A fresh MariaDB server, running."""
    stopped_mariadb.start()
    return stopped_mariadb


@pytest.fixture(scope="module")
def shared_mariadb(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[PrivateMariaDB]:
    """One running server for a whole test file: for tests that only read, or clean up behind themselves."""
    server = PrivateMariaDB(Path(tempfile.mkdtemp(prefix="e", dir=short_directory)))
    server.copy_of(template_mariadb)
    server.start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def galera_cluster(short_directory: Path, template_mariadb: PrivateMariaDB) -> t.Iterator[PrivateGalera]:
    cluster = PrivateGalera(short_directory / "galera")
    try:
        cluster.create(template_mariadb)
        cluster.start()
        yield cluster
    finally:  # nodes of a cluster that did not come up would keep the ports
        cluster.destroy()


@pytest.fixture
def galera(galera_cluster: PrivateGalera) -> t.Iterator[PrivateGalera]:
    """Three nodes in plaintext, Synced. One cluster for all tests, healed behind each: leave no data behind."""
    yield galera_cluster
    galera_cluster.heal()
