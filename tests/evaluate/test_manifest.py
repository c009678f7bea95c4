"""Reading manifests: what is taken, what is left out, and what each mistake is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_us.errors import InputError, UsageError
from edge_us.evaluate.manifest import read_manifest
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
