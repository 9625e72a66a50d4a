"""What the user says before something is overwritten means one thing, and fits."""

from strongroom.api.restoring import PlannedItem
from strongroom.worker.restoring.confirming import confirmation_of


def planned(into, source="db", container=None, *, overwrites=True):
    return PlannedItem(
        source=source, kind="database", file="f", into=into, container=container, overwrites=overwrites
    )


def test_names_of_what_is_overwritten_are_said_and_no_others():
    assert confirmation_of([planned("a"), planned("b", overwrites=False), planned("/srv/c")]) == "a,/srv/c"
    assert confirmation_of([planned("b", overwrites=False)]) is None


def test_one_name_of_two_things_stands_behind_where_they_are():
    assert confirmation_of([planned("a", "x"), planned("a", "y"), planned("b")]) == "x/a,y/a,b"
    assert confirmation_of([planned("a", "x", "box"), planned("a", "x", "bin")]) == "x/box/a,x/bin/a"
    assert confirmation_of([planned("a", "x"), planned("a", "y", overwrites=False)]) == "a"


def test_more_names_than_fit_are_counted_and_told_apart_by_a_digest():
    many = [planned(f"{number:03}{'x' * 50}") for number in range(60)]
    said = confirmation_of(many)
    assert said.startswith("60 names, ")
    assert len(said) < 64
    assert confirmation_of([*many[1:], planned("other")]) not in (None, said)
