from hypothesis import given
from hypothesis import strategies as st

from edge_us.frame import Rect
from edge_us.overlay.labels import overlap, place_label

AREA = Rect(0, 40, 400, 220)
rects = st.builds(Rect, st.integers(-20, 380), st.integers(0, 280), st.integers(1, 200), st.integers(1, 150))


def around(rect: Rect) -> tuple[float, float, float, float]:
    return (rect.x, rect.y, rect.x + rect.width, rect.y + rect.height)


@given(lesions=st.lists(rects, min_size=1, max_size=5), previous=st.none() | st.integers(0, 40))
def test_a_label_covers_no_lesion_and_stays_inside_the_picture(lesions: list[Rect], previous: int | None) -> None:
    placed = place_label((80, 20), around(lesions[0]), lesions, AREA, 4, previous)
    if placed is not None:
        label, _ = placed
        assert label.clip(400, 300) == label
        assert label.y >= AREA.y
        assert label.y + label.height <= AREA.y + AREA.height
        assert label.x % 2 == label.y % 2 == 0
        assert not any(overlap(label, lesion) for lesion in lesions)


def test_a_label_stands_beside_its_lesion_where_there_is_room() -> None:
    lesion = Rect(100, 100, 60, 40)
    placed = place_label((80, 20), around(lesion), [lesion], AREA, 4)
    assert placed is not None
    assert placed[0] == Rect(164, 100, 80, 20)


def test_a_label_keeps_its_place_while_that_is_free() -> None:
    wall, lesion = Rect(160, 0, 200, 300), Rect(100, 100, 50, 40)
    first = place_label((80, 20), around(lesion), [lesion, wall], AREA, 4)
    assert first is not None
    assert first[0].x < lesion.x
    again = place_label((80, 20), around(lesion), [lesion], AREA, 4, previous=first[1])
    assert again == first
    assert place_label((80, 20), around(lesion), [lesion], AREA, 4) != first


def test_no_label_is_better_than_one_on_a_lesion() -> None:
    lesion = Rect(0, 0, 400, 300)
    assert place_label((80, 20), around(lesion), [lesion], AREA, 4) is None
    assert place_label((800, 20), around(Rect(9, 9, 9, 9)), [], AREA, 4) is None
