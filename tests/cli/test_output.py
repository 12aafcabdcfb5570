from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from goprobe.cli.options import Output
from goprobe.cli.output import destination
from goprobe.errors import UsageError
from goprobe.model.trace import TraceReport
from tests.report.samples import hello


def to(path: Path, form: str = "json") -> Output:
    return Output(format=form, path=[str(path)])


def test_a_file_gets_the_whole_report(tmp_path: Path) -> None:
    place = destination(to(tmp_path / "out.json"), TraceReport)
    assert list(tmp_path.iterdir()) == []
    place.deliver(hello())
    assert (tmp_path / "out.json").read_bytes().startswith(b"{")
    assert [p.name for p in tmp_path.iterdir()] == ["out.json"]


def test_what_was_there_stays_until_the_new_report_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    file.write_text("old")
    place = destination(to(file, "text"), TraceReport)
    assert file.read_text() == "old"
    with pytest.raises(KeyError):
        place.deliver("not a report")
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.txt"]


def test_modes_are_those_of_any_new_file_or_of_the_old_one(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch(0o640)
    old.chmod(0o640)
    mask = os.umask(0o027)
    try:
        for file in (new, old):
            destination(to(file), TraceReport).deliver(hello())
    finally:
        os.umask(mask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_link_leads_to_the_file_that_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(folder / "target")
    destination(to(link), TraceReport).deliver(hello())
    assert link.is_symlink()
    assert (folder / "target").stat().st_size > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to somebody else")
@pytest.mark.parametrize("kind", ["link", "dangling", "file", "fifo"])
def test_what_somebody_else_put_into_everybodys_folder_is_not_written_to(
    tmp_path: Path, kind: str
) -> None:
    everybodys, victim = tmp_path / "tmp", tmp_path / "victim"
    everybodys.mkdir()
    everybodys.chmod(0o1777)
    if kind != "dangling":
        victim.write_text("old")
    planted = everybodys / "report.json"
    if kind in ("link", "dangling"):
        planted.symlink_to(victim)
    elif kind == "file":
        planted.write_text("theirs")
    else:
        os.mkfifo(planted)
    os.chown(planted, 61234, 61234, follow_symlinks=False)
    with pytest.raises(UsageError, match="belongs to somebody else"):
        destination(Output(path=[str(planted)], json=True), TraceReport)
    assert not victim.exists() or victim.read_text() == "old"
    # What is put there after we have looked is not followed either.
    planted.unlink()
    place = destination(Output(path=[str(planted)], json=True), TraceReport)
    planted.symlink_to(victim)
    os.chown(planted, 61234, 61234, follow_symlinks=False)
    with pytest.raises(UsageError, match="belongs to somebody else"):
        place.write(b"new")
    assert not victim.exists() or victim.read_text() == "old"
    # Our own link there leads where it leads.
    planted.unlink()
    planted.symlink_to(victim)
    destination(Output(path=[str(planted)], json=True), TraceReport).write(b"new")
    assert victim.read_text() == "new" and planted.is_symlink()


def test_links_of_proc_are_no_names() -> None:
    ends = os.pipe()
    path = f"/proc/self/fd/{ends[1]}"
    destination(Output(path=[path], json=True), TraceReport).write(b"told")
    assert os.read(ends[0], 10) == b"told"
    for end in ends:
        os.close(end)


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    destination(to(fifo), TraceReport).deliver(hello())
    reader.join()
    assert found[0].endswith(b"}\n")
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("missing/out", "No such file or directory"),
        (".", "it is a directory"),
        ("file/out", "Not a directory"),
        ("n" * 300, "File name too long"),
    ],
)
def test_an_unwritable_file_is_told_before_anything_runs(
    tmp_path: Path, path: str, why: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=why):
        destination(to(tmp_path / path), TraceReport)


def test_a_file_on_a_read_only_filesystem_is_unwritable() -> None:
    with pytest.raises(UsageError, match="cannot write /proc/goprobe"):
        destination(to(Path("/proc/goprobe")), TraceReport)


def test_an_unknown_format_lists_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        destination(Output(format="yaml"), TraceReport)
    assert caught.value.hint.startswith("formats: text, json")


def test_the_programs_output_leaves_stdout_to_our_data(tmp_path: Path) -> None:
    assert destination(Output(), TraceReport).program_stdout == 1
    assert destination(Output(json=True), TraceReport).program_stdout == 2
    assert destination(to(tmp_path / "x"), TraceReport).program_stdout == 1
