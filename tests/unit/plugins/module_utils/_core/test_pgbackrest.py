# Copyright (c) 2026, the bulwark.database authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pgBackRest says is read strictly, and its exit status is no evidence. The texts are those of pgBackRest 2.45."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.bulwark.database.plugins.module_utils._core.backup_window import gaps, restorable
from ansible_collections.bulwark.database.plugins.module_utils._core.errors import BulwarkError, ObservationFailed
from ansible_collections.bulwark.database.plugins.module_utils._core.pgbackrest import (
    Repository,
    Stanza,
    archive_command,
    arguments,
    contents_of,
    copies_of,
    first_error,
    has_lost_times,
    histories_of,
    judge_new_set,
    passphrase_of,
    pushed_name,
    read_info,
    read_log_listing,
    render_archive_configuration,
    render_configuration,
    render_copy_configuration,
    render_passphrase,
    segment_bytes_of,
    wrong_in,
)

FULL = "20261130-203154F"
INCREMENTAL = "20261130-203154F_20261130-203200I"
START = 1796070714
REPOSITORY = Repository("/etc/bulwark/backup/main.pgbackrest")
SERVER = {"data_directory": "/data", "port": 5432, "socket": "/run/postgresql", "user": "bulwark-backup"}
SHA1 = "e825f9d31dc0e1d8474f0a3cd78004e64059fc82"
SOUND = """\
INFO: verify command begin 2.45: --config=/srv/error/missing.conf --stanza=main
stanza: main
status: ok
  archiveId: 15-1, total WAL checked: 9, total valid WAL: 9
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
  backup: 20261130-203154F, status: valid, total files checked: 970, total valid files: 970
    missing: 0, checksum invalid: 0, size invalid: 0, other: 0
INFO: verify command end: completed successfully (506ms)
"""
QUERY_FAILED = (
    "INFO: execute non-exclusive backup start: backup begins after the requested immediate checkpoint completes",
    "ERROR: [057]: unable to execute query 'select lsn::text as lsn,",
    "       pg_catalog.pg_walfile_name(lsn)::text as wal_segment_name",
    "  from pg_catalog.pg_backup_start('x') as lsn': ERROR:  permission denied for function pg_backup_start",
    "       HINT: is it granted?",
    "INFO: backup command end: aborted with exception [057]",
)


def backup(label: str, *, start: int = START, number: int = 5, **more: t.Any) -> dict[str, t.Any]:
    return {
        "archive": {"start": wal(number), "stop": wal(number)},
        "backrest": {"format": 5, "version": "2.45"},
        "database": {"id": 1, "repo-key": 1},
        "error": False,
        "info": {"delta": 36721341, "repository": {"delta": 8249376, "size": 8249376}, "size": 36721341},
        "label": label,
        "lsn": {"start": f"0/{number:X}000028", "stop": f"0/{number:X}0020E0"},
        "timestamp": {"start": start, "stop": start + 4},
        "type": "full",
        **more,
    }


def info(*backups: dict[str, t.Any], code: int = 0, message: str = "ok") -> str:
    archive = [{"database": {"id": 1, "repo-key": 1}, "id": "15-1", "max": wal(8), "min": wal(1)}]
    database = [{"id": 1, "repo-key": 1, "system-id": 7714064623567612380, "version": "15"}]
    status = {"code": code, "message": message}
    return json.dumps([{"archive": archive, "backup": list(backups), "db": database, "name": "main", "status": status}])


def wal(number: int) -> str:
    return f"0000000100000000{number:08X}"


def listing(*numbers: int, **more: dict[str, t.Any]) -> str:
    files = {
        f"0000000100000000/{wal(number)}-{SHA1}.zst": {"type": "file", "size": 17968, "time": START + number * 60}
        for number in numbers
    }
    return json.dumps({".": {"type": "path"}, "0000000100000000": {"type": "path"}, **files, **more})


def stanza(text: str) -> Stanza:
    return read_info(text, job="main", recipients=["age1x", "age1y"])


def test_sets_and_the_log_say_from_when_to_when_any_moment_can_be_restored() -> None:
    found = stanza(info(backup(FULL), backup(INCREMENTAL, start=START + 10, number=6)))
    sidecars, wrong = read_log_listing(listing(4, 5, 6, 7, 8), segment_bytes=16777216, histories={})
    contents = contents_of(found, sidecars, wrong)
    assert [manifest.id for manifest in contents.manifests] == [FULL, INCREMENTAL]
    assert [manifest.is_full for manifest in contents.manifests] == [True, False]
    assert contents.manifests[0].bytes == 8249376
    (window,) = restorable(contents.manifests, contents.sidecars)
    assert (window.start, window.end) == (START + 5, START + 8 * 60 - 1)
    assert gaps(contents.manifests, contents.sidecars) == []
    assert contents.damaged == ()


def test_a_missing_segment_ends_the_window_and_is_a_gap() -> None:
    found = stanza(info(backup(FULL)))
    sidecars, dummy = read_log_listing(listing(5, 6, 8), segment_bytes=16777216, histories={})
    (window,) = restorable(found.manifests, sidecars)
    assert window.end == START + 6 * 60 - 1
    (gap,) = gaps(found.manifests, sidecars)
    assert (gap.first, gap.last, gap.count) == (wal(7), wal(7), 1)


def test_what_is_faulty_or_there_twice_or_of_no_use_is_said() -> None:
    faulty = stanza(info(backup(FULL, error=True)))
    other = {f"0000000100000000/{wal(5)}-{'0' * 40}.zst": {"type": "file", "size": 1, "time": START}}
    sidecars, wrong = read_log_listing(listing(5, **other), segment_bytes=16777216, histories={})
    damaged = contents_of(faulty, sidecars, wrong).damaged
    assert damaged == (
        f"the set {FULL} holds pages whose checksum is wrong",
        f"the log holds {wal(5)} twice, with different contents",
    )
    broken = stanza(info(code=99, message="other"))
    assert contents_of(broken, (), ()).damaged == ("the repository can't be used: other",)


def test_a_repository_without_a_stanza_or_without_sets_is_empty_and_not_damaged() -> None:
    for code in (1, 2):
        found = stanza(info(code=code, message="no valid backups"))
        assert (found.manifests, found.complaint) == ((), "")


def test_sets_of_a_server_before_its_upgrade_are_left_out() -> None:
    entry = json.loads(info(backup(FULL), backup(INCREMENTAL, database={"id": 2, "repo-key": 1})))
    entry[0]["db"].append({"id": 2, "repo-key": 1, "system-id": 1, "version": "16"})
    entry[0]["archive"].append({"database": {"id": 2, "repo-key": 1}, "id": "16-2", "max": None, "min": None})
    found = stanza(json.dumps(entry))
    assert ([one.id for one in found.manifests], found.archive) == ([INCREMENTAL], "16-2")


def test_histories_of_timelines_are_named_and_read() -> None:
    text = listing(5, **{"00000002.history": {"type": "file", "size": 48, "time": START}})
    assert histories_of(text) == ["00000002.history"]
    histories = {"00000002.history": "1\t0/5003000\tno recovery target specified\n"}
    sidecars, dummy = read_log_listing(text, segment_bytes=16777216, histories=histories)
    assert {one.name: one.switches for one in sidecars} == {wal(5): (), "00000002.history": ((1, "0/5003000"),)}


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[1]", '[{"status": {}}]', "[{}, {}]"])
def test_what_is_none_of_its_answers_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ObservationFailed) as error:
        stanza(text)
    assert "\n" not in str(error.value)
    with pytest.raises(ObservationFailed):
        read_log_listing(text if text != "{}" else "[]", segment_bytes=16777216, histories={})


@given(st.text(max_size=200))
def test_no_answer_breaks_the_reading(text: str) -> None:
    for read in (stanza, histories_of):
        with contextlib.suppress(BulwarkError):
            read(text)
    assert isinstance(wrong_in(text), list)
    assert "\n" not in first_error(text.splitlines())


def test_verify_is_sound_by_what_it_says_and_not_by_its_status() -> None:
    assert wrong_in(SOUND) == []
    flipped = SOUND.replace("status: ok", "status: error").replace(
        "stanza: main", "P01   INFO: invalid checksum '20261130-203154F/pg_data/base/5/2654.zst'\nstanza: main"
    )
    assert wrong_in(flipped) == ["invalid checksum '20261130-203154F/pg_data/base/5/2654.zst'"]
    assert wrong_in(SOUND.replace("status: ok", "status: error")) == ["pgbackrest verify says status: error"]
    assert wrong_in("") == ["pgbackrest verify says status: nothing"]


def test_an_error_over_several_lines_is_one_without_its_hints() -> None:
    text = first_error(QUERY_FAILED)
    assert text.startswith("[057]: unable to execute query 'select lsn::text as lsn, pg_catalog.pg_walfile_name")
    assert text.endswith("ERROR: permission denied for function pg_backup_start")
    assert first_error(["INFO: all is well"]) == ""


def test_a_run_without_a_new_sound_set_of_its_kind_is_no_success() -> None:
    good = stanza(info(backup(FULL)))
    assert judge_new_set([], good, "full") is None
    assert judge_new_set([FULL], good, "full") is not None
    assert judge_new_set([], stanza(info(backup(FULL, error=True))), "full") is not None
    assert judge_new_set([], stanza(info(backup(INCREMENTAL))), "full") is not None
    assert judge_new_set([FULL], stanza(info(backup(FULL), backup(INCREMENTAL))), "incr") is None


def test_no_configuration_and_no_command_holds_the_passphrase_and_the_server_learns_no_path_of_the_store() -> None:
    both = render_configuration(
        REPOSITORY, "main", store="/store", state="/state", keep_days=7, compression_level=1, server=SERVER
    )
    pushes = render_archive_configuration(REPOSITORY, "main", data_directory="/data", compression_level=1)
    assert "cipher-pass" not in both + pushes
    assert "cipher-pass" not in " ".join([*arguments(REPOSITORY, "main", "info"), archive_command(REPOSITORY, "main")])
    assert "/store" not in pushes
    assert "repo1-retention-full-type=time\nrepo1-retention-full=7\n" in both
    assert "retention-archive" not in both
    # the default of it is in /tmp, where any account could put a file that stops archiving
    assert "lock-path=/etc/bulwark/" in pushes
    assert "lock-path=/state/" in both


def test_the_passphrase_is_read_whole_or_refused_without_a_word_of_it() -> None:
    assert passphrase_of("[global]\nrepo1-cipher-pass=a=b\n") == "a=b"
    for text in ("", "[global]\nrepo1-cipher-pass=\n", "hunter2\n"):
        with pytest.raises(ObservationFailed) as error:
            passphrase_of(text)
        assert "hunter2" not in str(error.value)


def test_what_is_said_of_a_repository_that_does_not_open_is_no_json_and_yet_understood() -> None:
    """It repeats what came of the wrong passphrase."""
    text = '[{"archive":[],"backup":[],"db":[],"repo":[{"status":{"code":99,"message":"[CryptoError] \ufffd\x01\n"}}],'
    found = stanza(text + '"status":{"code":99,"message":"other"}}]')
    assert "can't be used" in found.complaint
    assert found.manifests == ()


@given(
    st.sampled_from([2**power for power in range(20, 31)]),
    st.lists(st.integers(min_value=0, max_value=2**40), min_size=1, max_size=5),
)
def test_the_size_of_segments_comes_of_where_sets_begin(size: int, places: list[int]) -> None:
    places = [max(place, size) for place in places]  # PostgreSQL never begins in the very first one
    labels = [f"20261130-2031{number:02}F" for number in range(len(places))]
    sets = [
        backup(label, lsn={"start": f"{place >> 32:X}/{place & 0xFFFFFFFF:X}", "stop": "0/0"})
        for label, place in zip(labels, places)
    ]
    for one, place in zip(sets, places):
        log, low = divmod(place // size, 2**32 // size)
        one["archive"] = {"start": f"00000001{log:08X}{low:08X}", "stop": ""}
    found = segment_bytes_of(stanza(info(*sets)).manifests)
    # what fits all sets can't be told apart: then it is the default, or the least
    assert all(place // size % (2**32 // size) == place // found % (2**32 // found) for place in places)
    assert found in (size, 2**24) or found < size


def test_a_server_with_large_segments_is_known_by_any_set_and_the_default_holds_without_one() -> None:
    large = backup(FULL, lsn={"start": "0/28000028", "stop": "0/28000100"}, archive={"start": wal(10), "stop": wal(10)})
    assert segment_bytes_of(stanza(info(large)).manifests) == 64 * 1024 * 1024
    assert segment_bytes_of(()) == 16 * 1024 * 1024


@pytest.mark.parametrize(("late", "lost"), [(0, False), (360, False), (362, True), (86400, True)])
def test_a_segment_that_came_long_after_the_set_that_begins_in_it_says_that_times_are_lost(
    late: int, lost: bool
) -> None:
    found = stanza(info(backup(FULL, start=START)))
    entry = {"type": "file", "size": 1, "time": START + 5 + late}
    sidecars, dummy = read_log_listing(
        listing(**{f"0000000100000000/{wal(5)}-{SHA1}.zst": entry}), segment_bytes=16777216, histories={}
    )
    assert has_lost_times(found.manifests, sidecars) is lost
    assert not has_lost_times(found.manifests, ())


@pytest.mark.parametrize("text", ["", "x\nrepo1-host=evil", "x\r[global]", "x\n", "x\u2028y", "\x00"])
def test_a_passphrase_that_would_be_more_than_one_option_is_refused(text: str) -> None:
    with pytest.raises(ObservationFailed, match="holds no passphrase") as error:
        render_passphrase(text)
    assert "evil" not in str(error.value)


def test_a_copy_is_opened_by_two_files_and_the_passphrase_is_in_one_of_them() -> None:
    text = render_passphrase("0123abcd")
    assert passphrase_of(text) == "0123abcd"
    configuration = render_copy_configuration("main", store="/srv/copy", folder="/scratch")
    assert "repo1-path=/srv/copy/repository\n" in configuration
    assert "cipher-pass" not in configuration


def test_what_a_repository_holds_twice_is_known_for_each_set() -> None:
    paths = copies_of(stanza(info(backup(FULL), backup(INCREMENTAL))), "main")
    assert [path for path, dummy in paths] == [
        "archive/main/archive.info",
        "backup/main/backup.info",
        f"backup/main/{FULL}/backup.manifest",
        f"backup/main/{INCREMENTAL}/backup.manifest",
    ]
    assert all(copy == f"{path}.copy" for path, copy in paths)


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        (f"{wal(5)}-{SHA1}.zst", wal(5)),
        (f"{wal(5)}.partial-{SHA1}.zst", f"{wal(5)}.partial"),
        (f"{wal(5)}.00000028.backup", f"{wal(5)}.00000028.backup"),
        ("00000002.history", "00000002.history"),
        (f"{wal(5)}-{SHA1}.zst.pgbackrest.tmp", ""),
        ("archive.info", ""),
        (f"../{wal(5)}-{SHA1}.zst", ""),
        ("", ""),
    ],
)
def test_only_what_was_pushed_whole_is_carried_on(stored: str, name: str) -> None:
    assert pushed_name(stored) == name
