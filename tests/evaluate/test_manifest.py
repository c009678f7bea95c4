"""Reading manifests: what is taken, what is left out, and what each mistake is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_us.errors import InputError, UsageError
from edge_us.evaluate.manifest import check_files, read_manifest
from tests.evaluate.cases import COLUMNS, write_manifest

ROWS = [
    "busbra,busbra/a.jpg,busbra/a_mask.png,benign,p1,g1,,train",
    "busbra,busbra/b.jpg,,normal,p2,g2,doppler;marks,test",
    "busi,busi/c.jpg,busi/c_mask.png,malignant,,g3,axilla,test",
    "busi,busi/d.jpg,busi/d_mask.png,malignant,,g4,,test",
]


def test_rows_become_cases_with_paths_relative_to_the_manifest(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ROWS)
    manifest = read_manifest(path)
    first = manifest.cases[0]
    assert (first.image, first.mask) == (tmp_path / "busbra/a.jpg", tmp_path / "busbra/a_mask.png")
    assert (first.dataset, first.name, first.label, first.group) == ("busbra", "busbra/a.jpg", "benign", "g1")
    assert manifest.cases[1].mask is None
    assert manifest.cases[1].is_normal
    assert manifest.cases[1].flags == {"doppler", "marks"}
    assert manifest.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_split_is_chosen_and_axilla_left_out_and_counted(tmp_path: Path) -> None:
    manifest = read_manifest(write_manifest(tmp_path, ROWS), "test")
    assert [case.name for case in manifest.cases] == ["busbra/b.jpg", "busi/d.jpg"]
    assert manifest.excluded == {"axilla": 1}


def test_flags_of_a_data_set_are_known_from_all_its_rows(tmp_path: Path) -> None:
    manifest = read_manifest(write_manifest(tmp_path, ROWS), "train")
    assert manifest.flags_known == {"busbra": {"doppler", "marks"}, "busi": {"axilla"}}


def test_unknown_columns_are_ignored_and_a_byte_order_mark_too(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [row + ",x" for row in ROWS], "\ufeff" + COLUMNS + ",hobby")
    assert len(read_manifest(path).cases) == 3


def test_missing_columns_are_named(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ["a.png,normal"], "image,label")
    with pytest.raises(InputError, match="dataset, mask, group, flags, split"):
        read_manifest(path)


@pytest.mark.parametrize(("sign", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_another_separator_is_named(tmp_path: Path, sign: str, name: str) -> None:
    """What Excel writes where the decimal sign is a comma."""
    path = write_manifest(
        tmp_path, [sign.join(["d", "a.png", "", "normal", "", "g", "", "test"])], COLUMNS.replace(",", sign)
    )
    with pytest.raises(InputError, match=f"has {name} between its columns"):
        read_manifest(path)


def test_blank_lines_do_not_shift_the_rows(tmp_path: Path) -> None:
    path = write_manifest(tmp_path, ["", ROWS[0], "", "s,a.png,,suspicious,,g,,test"])
    with pytest.raises(InputError, match=r"row 5 of manifest\.csv has the label 'suspicious'"):
        read_manifest(path)


def test_a_row_ends_where_the_line_ends_and_nowhere_else(tmp_path: Path) -> None:
    """U+0085 and U+2028 are line ends to Python's splitlines, but not to CSV."""
    path = write_manifest(tmp_path, ["d,a.png,,normal,p\u0085q,g\u2028h,,test"])
    (case,) = read_manifest(path).cases
    assert case.group == "g\u2028h"


def test_files_that_are_not_there_are_found_before_anything_is_measured(tmp_path: Path) -> None:
    for name in ("busbra/a.jpg", "busbra/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    cases = read_manifest(write_manifest(tmp_path, ROWS)).cases
    with pytest.raises(InputError, match=r"row 2 of manifest\.csv: there is no mask .*a_mask\.png \(2 more missing"):
        check_files(cases)
    check_files(cases[1:2])


def test_an_unknown_split_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_manifest(write_manifest(tmp_path, ROWS), "holdout")
    assert "test, train" in caught.value.hint


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("s,a.png,,suspicious,,g,,test", "row 2 .* 'suspicious'"),
        ("s,a.png,,benign,,g,,test", "no mask"),
        ("s,,,normal,,g,,test", "no image"),
        ("s,a.png,,normal,,,,test", "no group"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_manifest(write_manifest(tmp_path, [row]))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", COLUMNS.encode()])
def test_what_is_no_manifest_is_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.csv"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_manifest(path)


def test_a_missing_manifest_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        read_manifest(tmp_path / "absent.csv")


def test_scanner_and_birads_come_from_the_manifest_or_the_table_beside_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "busbra").mkdir()
    (tmp_path / "busbra" / "bus_data.csv").write_text(
        "ID,Case,BIRADS,Device\na,1,4,GE Logiq 7 @10-14MHz\nb,2,2,Toshiba\n"
    )
    (tmp_path / "busbra" / "other.csv").write_text("image;label\nx;y\n")
    cases = read_manifest(write_manifest(tmp_path, ROWS)).cases
    assert (cases[0].scanner, cases[0].birads) == ("GE Logiq 7", "4")
    assert (cases[2].scanner, cases[2].birads) == (None, None)
    own = write_manifest(tmp_path, [ROWS[0] + ",Mindray,3"], COLUMNS + ",scanner,birads")
    assert (read_manifest(own).cases[0].scanner, read_manifest(own).cases[0].birads) == ("Mindray", "3")
