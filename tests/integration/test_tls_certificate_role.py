# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role tls_certificate on this machine, judged by what OpenSSL says of the files that it leaves."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = "bulwark.database.tls_certificate"
DAYS = 397

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the role gives files to root"),
    pytest.mark.timeout(300),
]


class Run(t.NamedTuple):
    """``results``: the role's results in order, as the host that is named saw them; ``changed``: of all tasks."""

    done: bool
    said: str
    changed: int
    results: dict[str, list[dict[str, t.Any]]]


class Site:
    """Folders for a controller's authorities and for hosts, which are all this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, host: str) -> Path:
        return self.root / "hosts" / host

    def certificate(self, host: str = "node1", name: str = "server") -> Path:
        return self.folder(host) / f"{name}.crt"

    def authority(self, name: str = "ca") -> Path:
        return self.root / name / "ca.crt"

    def options(self, name: str = "server", **changes: t.Any) -> dict[str, t.Any]:
        here = f"{self.root}/hosts/{{{{ inventory_hostname }}}}"
        given = {
            "ca_dir": str(self.root / "ca"),
            "path": f"{here}/{name}.crt",
            "private_key_path": f"{here}/{name}.key",
            "ca_path": f"{here}/{name}-ca.crt",
            "owner": "root",
            "names": ["{{ inventory_hostname }}"],
            "addresses": ["127.0.0.1"],
            **changes,
        }
        return {f"tls_certificate_{key}": value for key, value in given.items()}

    def play(self, *includes: t.Mapping[str, t.Any], hosts: t.Sequence[str] = ("node1",), flags: str = "") -> Run:
        for host in hosts:
            self.folder(host).mkdir(parents=True, exist_ok=True)
        tasks: list[dict[str, t.Any]] = []
        for options in includes:
            entry = {"name": ROLE, **({} if "tls_certificate_path" in options else {"tasks_from": "authority"})}
            tasks.append({"name": "Include it", "ansible.builtin.include_role": entry, "vars": dict(options)})
            if "tls_certificate_path" in options:
                tasks.append({"name": "Result", "ansible.builtin.debug": {"var": "tls_certificate_result"}})
        path = self.root / "play.yml"
        path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
        command = [str(Path(sys.executable).parent / "ansible-playbook"), str(path), "-i", f"{','.join(hosts)},"]
        command += ["-c", "local", "-e", f"ansible_python_interpreter={sys.executable}", *flags.split()]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self._environment())
        return read_run(done)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".build" / "collections"),
            "ANSIBLE_HOME": str(self.root / "ansible"),
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "LC_ALL": "C.UTF-8",
        }


def read_run(done: subprocess.CompletedProcess[str]) -> Run:
    said = json.loads(done.stdout[done.stdout.index("{") :])
    results: dict[str, list[dict[str, t.Any]]] = {}
    for task in said["plays"][0]["tasks"]:
        for host, answer in task["hosts"].items():
            if task["task"]["name"] == "Result":
                results.setdefault(host, []).append(answer["tls_certificate_result"])
    changed = sum(one["changed"] for one in said["stats"].values())
    return Run(done.returncode == 0, done.stdout + done.stderr, changed, results)


@pytest.fixture
def bare_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("issued"))
    succeed(site.play(site.options()))
    return site


@pytest.fixture
def site(template: Site, tmp_path: Path) -> Site:
    """One where node1 has its certificate already. No file says where it lies."""
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    return Site(tmp_path)


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def verifies(certificate: Path, trusted: Path, *options: str) -> bool:
    command = ["openssl", "verify", "-CAfile", str(trusted), *options, str(certificate)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def is_for(certificate: Path, trusted: Path, *purposes: str) -> list[bool]:
    return [verifies(certificate, trusted, "-purpose", purpose) for purpose in purposes]


def succeed(run: Run) -> Run:
    assert run.done, run.said[-5000:]
    return run


def test_a_certificate_is_issued_announced_and_left_alone_afterwards(bare_site: Site) -> None:
    site = bare_site
    options = site.options()
    announced = succeed(site.play(options, flags="--check"))
    assert announced.results == {"node1": [{"changed": True, "issued": True, "expires": ""}]}
    assert not list(site.folder("node1").iterdir())
    assert not (site.root / "ca").exists()
    first = succeed(site.play(options))
    end = datetime.datetime.now(tz=datetime.timezone.utc).date() + datetime.timedelta(days=DAYS)
    assert first.results["node1"][0] == {"changed": True, "issued": True, "expires": end.isoformat()}
    assert first.changed == announced.changed
    assert verifies(site.certificate(), site.folder("node1") / "server-ca.crt", "-verify_hostname", "node1")
    assert is_for(site.certificate(), site.authority(), "sslserver", "sslclient") == [True, False]
    assert {path.stat().st_mode & 0o777 for path in site.folder("node1").glob("*.key")} == {0o600}
    for flags in ("", "--check"):
        again = succeed(site.play(options, flags=flags))
        assert again.changed == 0
        assert again.results["node1"][0] == {"changed": False, "issued": False, "expires": end.isoformat()}


def test_a_key_that_others_may_read_is_closed_and_stays_the_key(site: Site) -> None:
    """What somebody widened by hand takes no new certificate, and a dry run says the same."""
    key = site.folder("node1") / "server.key"
    before = (key.read_bytes(), site.certificate().read_bytes())
    key.chmod(0o644)
    announced = succeed(site.play(site.options(), flags="--check"))
    done = succeed(site.play(site.options()))
    assert [announced.results, announced.changed] == [done.results, done.changed]
    assert done.results["node1"][0]["issued"] is False
    assert done.changed == 1
    assert (key.read_bytes(), site.certificate().read_bytes()) == before
    assert key.stat().st_mode & 0o777 == 0o600


def test_a_key_of_another_kind_is_made_anew_with_its_certificate(site: Site) -> None:
    openssl("genrsa", "-out", site.folder("node1") / "server.key", "2048")
    announced = succeed(site.play(site.options(), flags="--check"))
    done = succeed(site.play(site.options()))
    assert [announced.results["node1"][0]["issued"], done.results["node1"][0]["issued"]] == [True, True]
    assert announced.changed == done.changed


@pytest.mark.parametrize(
    ("change", "proof"),
    [
        ({"usages": ["serverAuth", "clientAuth"]}, ("-purpose", "sslclient")),
        ({"names": ["node1", "db.example"]}, ("-verify_hostname", "db.example")),
        ({"addresses": ["127.0.0.1", "192.0.2.7"]}, ("-verify_ip", "192.0.2.7")),
    ],
    ids=["usage", "name", "address"],
)
def test_what_a_certificate_lacks_has_it_issued_anew_for_the_same_key(
    site: Site, change: dict[str, t.Any], proof: tuple[str, ...]
) -> None:
    key = (site.folder("node1") / "server.key").read_bytes()
    assert not verifies(site.certificate(), site.authority(), *proof)
    announced = succeed(site.play(site.options(**change), flags="--check"))
    assert announced.results["node1"][0] == {"changed": True, "issued": True, "expires": ""}
    done = succeed(site.play(site.options(**change)))
    assert (done.changed, done.results["node1"][0]["issued"]) == (announced.changed, True)
    assert verifies(site.certificate(), site.authority(), *proof)
    assert (site.folder("node1") / "server.key").read_bytes() == key
    assert succeed(site.play(site.options(**change))).changed == 0


def test_another_authority_in_the_same_folder_has_certificates_issued_anew(site: Site) -> None:
    old = site.root / "old.crt"
    site.authority().rename(old)
    (site.root / "ca" / "ca.key").unlink()
    done = succeed(site.play(site.options()))
    assert done.results["node1"][0]["issued"]
    # Both authorities have the same name, so only the signature tells them apart.
    assert openssl("x509", "-noout", "-subject", "-in", old) == openssl(
        "x509", "-noout", "-subject", "-in", site.authority()
    )
    assert verifies(site.certificate(), site.authority())
    assert not verifies(site.certificate(), old)
    assert succeed(site.play(site.options())).changed == 0


def test_an_authority_is_replaced_by_way_of_a_bundle_that_trusts_both(site: Site) -> None:
    before, trusted = site.root / "before.crt", site.folder("node1") / "server-ca.crt"
    before.write_bytes(site.certificate().read_bytes())
    new = {"ca_dir": str(site.root / "new"), "ca_name": "The cluster's own"}
    make_it = {f"tls_certificate_{key}": value for key, value in new.items()}
    third = site.root / "third.crt"
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=third")
    openssl("req", "-x509", *kind, "-keyout", site.root / "third.key", "-out", third)
    both = site.options(extra_authorities=[str(site.authority("new")), str(third)])
    assert succeed(site.play(make_it, both, flags="--check")).results["node1"][0]["changed"]
    done = succeed(site.play(make_it, both))
    assert done.results["node1"][0] == {**done.results["node1"][0], "changed": True, "issued": False}
    assert site.certificate().read_bytes() == before.read_bytes()
    # The authority's own first, and no key, although the text that is given has one.
    old = site.authority().read_text("ascii") + (site.root / "ca" / "ca.key").read_text("ascii")
    assert trusted.read_text("ascii").startswith(site.authority().read_text("ascii").strip())
    assert f"\n{third.read_text('ascii').strip()}\n" in trusted.read_text("ascii")
    turned = site.options(**new, extra_authorities=[old, old, str(site.authority("new"))])
    assert succeed(site.play(turned)).results["node1"][0]["issued"]
    assert trusted.read_text("ascii").startswith(site.authority("new").read_text("ascii").strip())
    assert trusted.read_text("ascii").count("-----BEGIN") == 2
    assert verifies(before, trusted)
    assert verifies(site.certificate(), trusted)
    assert succeed(site.play(turned)).changed == 0
    alone = succeed(site.play(site.options(**new)))
    assert alone.results["node1"][0] == {**alone.results["node1"][0], "changed": True, "issued": False}
    assert not verifies(before, trusted)
    assert verifies(site.certificate(), trusted)
    assert "CN = The cluster's own" in openssl("x509", "-noout", "-issuer", "-in", site.certificate())


def test_hosts_in_parallel_with_several_certificates_each_share_authorities_or_not(bare_site: Site) -> None:
    site, hosts = bare_site, ("shop1", "mail1", "shop2")
    authority = {"ca_dir": f"{site.root}/ca-{{{{ inventory_hostname[:4] }}}}"}
    for_cluster = site.options(usages=["serverAuth", "clientAuth"], **authority)
    for_backups = site.options(
        "backup", issued_name="{{ inventory_hostname }}-backup", usages=["clientAuth"], **authority
    )
    succeed(site.play(for_cluster, for_backups, hosts=hosts, flags="-f 3"))
    for host in hosts:
        own, other = (site.authority(f"ca-{name}") for name in (host[:4], {"shop": "mail", "mail": "shop"}[host[:4]]))
        node, backup = site.certificate(host), site.certificate(host, "backup")
        assert is_for(node, own, "sslserver", "sslclient") == [True, True]
        assert is_for(backup, own, "sslserver", "sslclient") == [False, True]
        assert not verifies(node, other)
    again = succeed(site.play(for_cluster, for_backups, hosts=hosts, flags="-f 3"))
    assert again.changed == 0
    unchanged = {host: [one["changed"] for one in results] for host, results in again.results.items()}
    assert unchanged == {host: [False, False] for host in hosts}


def test_a_certificate_close_to_its_end_is_issued_anew(bare_site: Site) -> None:
    site = bare_site
    before = succeed(site.play(site.options(days=20, renew_days=10))).results["node1"][0]["expires"]
    assert succeed(site.play(site.options(days=40, renew_days=15))).changed == 0
    renewed = succeed(site.play(site.options(days=40, renew_days=30))).results["node1"][0]
    assert renewed["issued"]
    assert renewed["expires"] > before


def test_the_authoritys_key_is_encrypted_with_the_passphrase_and_never_replaced(bare_site: Site) -> None:
    site = bare_site
    options = site.options(ca_passphrase="of the operator")
    succeed(site.play(options))
    key = site.root / "ca" / "ca.key"
    assert "ENCRYPTED" in key.read_text("ascii")
    assert succeed(site.play(options)).changed == 0
    before = key.read_bytes()
    site.authority().unlink()
    assert not site.play(site.options(ca_passphrase="of somebody else")).done
    assert key.read_bytes() == before


def test_material_that_was_brought_is_checked_for_what_it_is_to_do(site: Site) -> None:
    expires = succeed(site.play(site.options())).results["node1"][0]["expires"]
    run = succeed(site.play(site.options(source="provided")))
    assert (run.changed, run.results["node1"]) == (0, [{"changed": False, "issued": False, "expires": expires}])
    refused = site.play(site.options(source="provided", usages=["serverAuth", "clientAuth"]))
    assert not refused.done
    assert "server.crt is not for TLS Web Client Authentication: bring a matching pair" in refused.said


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"extra_authorities": ["/nowhere/ca.crt"]}, "names /nowhere/ca.crt, which is not on the controller"),
        ({"extra_authorities": ["{{ tls_certificate_path }}"]}, "holds node1, which is no authority"),
        ({"extra_authorities": ["{{ tls_certificate_private_key_path }}"]}, "has an entry without a certificate"),
        ({"extra_authorities": ["/x"], "source": "provided"}, "is for private_ca; put them into"),
        ({"renew_days": DAYS}, "would be renewed at every run"),
    ],
)
def test_what_can_not_be_meant_is_refused_and_changes_nothing(
    site: Site, change: dict[str, t.Any], complaint: str
) -> None:
    run = site.play(site.options(**change))
    assert not run.done
    assert complaint in run.said
    assert run.changed == 0
