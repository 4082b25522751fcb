# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.errors import InvalidDeclaration
from ansible_collections.bulwark.database.plugins.module_utils._dialects.mariadb_option_files import (
    Option,
    flattened,
    read_options,
    render_option,
    set_options,
    split_option,
)


class Files:
    def __init__(self, texts: t.Mapping[str, str]) -> None:
        self._texts = texts

    def read(self, path: str) -> str | None:
        return self._texts.get(path)

    def names(self, directory: str) -> list[str]:
        return [path.rpartition("/")[2] for path in self._texts if path.rpartition("/")[0] == directory]


def read(**texts: str) -> list[Option]:
    return read_options(
        ["/etc/my.cnf"], Files({f"/etc/{name.replace('_', '.')}": texts[name] for name in texts})
    ).options


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Max-Connections = 5", ("max_connections", "5")),
        ("loose-x=1 # why", ("x", "1")),
        ("skip-name-resolve", ("skip_name_resolve", None)),
        ("init_connect='a # b'", ("init_connect", "a # b")),
        (r'init_connect="a\n\"b\\"', ("init_connect", 'a\n"b\\')),
        (r"path=C:\new", ("path", "C:\new")),
        ("sql_mode=", ("sql_mode", "")),
    ],
)
def test_a_line_means_what_the_server_takes_it_for(line: str, expected: tuple[str, str | None]) -> None:
    assert split_option(line) == expected


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=300))
def test_what_is_written_is_read_back(value: str) -> None:
    assert split_option(render_option("name", value)) == ("name", value)


def test_what_no_line_can_hold_is_refused() -> None:
    for value in ("x" * 5000, "\0"):
        with pytest.raises(InvalidDeclaration, match="name: the value is too long"):
            render_option("name", value)


def test_includes_are_read_where_they_stand_in_the_order_of_their_names() -> None:
    options = read(
        my_cnf="[mysqld]\na=1\n!includedir /etc/d/\n!include /etc/one\nb=2\n!include /etc/gone\n",
        one="[client]\nc=3\n",
        **{"d/z_cnf": "[mariadb]\na=9\n", "d/b_cnf": "[mysqld]\na=5\n", "d/readme": "[mysqld]\na=7\n"},
    )
    assert [(one.place, one.group, one.name, one.value) for one in options] == [
        ("/etc/my.cnf line 2", "mysqld", "a", "1"),
        ("/etc/d/b.cnf line 2", "mysqld", "a", "5"),
        ("/etc/d/z.cnf line 2", "mariadb", "a", "9"),
        ("/etc/one line 2", "client", "c", "3"),
        ("/etc/my.cnf line 5", "mysqld", "b", "2"),
    ]
    assert flattened(options) == "[mysqld]\na=1\na=5\n[mariadb]\na=9\n[client]\nc=3\n[mysqld]\nb=2\n"


def test_a_file_that_includes_itself_comes_to_an_end() -> None:
    assert 1 < len(read(my_cnf="[mysqld]\na=1\n!include /etc/my.cnf\n")) < 20


def test_other_lines_and_groups_stay() -> None:
    text = "# mine\n[mysqld]\na=1\nb=2\n[sst]\na=3\n"
    arguments: dict[str, t.Any] = {"group": "mysqld", "groups": ("mysqld", "mariadb"), "canonical": lambda name: name}
    changed = set_options(text, {"a": ["5"], "c": ["x y", "z"], "b": []}, **arguments)
    assert changed == '# mine\n[mysqld]\n[sst]\na=3\n[mysqld]\na = 5\nc = "x y"\nc = z\n'
    assert set_options(changed, {"a": ["5"], "c": ["x y", "z"]}, **arguments) == changed
