"""Names of files stay apart, safe and readable."""

from hypothesis import given
from hypothesis import strategies as st

from strongroom.sources.filenames import encode_name
from strongroom.stores.keys import checked

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=63)


@given(names, names)
def test_different_names_have_different_files_that_every_store_takes(one: str, other: str) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)
    assert checked(f"{'s' * 63}.{encode_name(one)}.dump.zst")
    assert "." not in encode_name(one)


def test_plain_names_are_left_as_they_are() -> None:
    assert encode_name("shop_2-x") == "shop_2-x"
    assert encode_name("größe.db") == "gr%C3%B6%C3%9Fe%2Edb"
