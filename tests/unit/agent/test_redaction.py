"""What a worker says leaves the machine without the secrets that it was given, and with its names as they are."""

from strongroom.agent.redaction import MASK, Redactor


def test_a_short_secret_is_masked_in_texts_and_left_in_names() -> None:
    redactor = Redactor([b"shop"])
    said = {"recoveryPoint": "default/shop/1-shop", "copies": [{"store": "shop", "message": "shop"}], "blocked": "for shop"}  # fmt: skip
    assert redactor.json(said) == {
        "recoveryPoint": "default/shop/1-shop",
        "copies": [{"store": "shop", "message": MASK}],
        "blocked": f"for {MASK}",
    }


def test_a_long_secret_is_masked_wherever_it_stands() -> None:
    redactor = Redactor([b"canary-0123456789\n"])
    assert redactor.json({"file": "a/canary-0123456789.dump"}) == {"file": f"a/{MASK}.dump"}


def test_a_long_secret_that_stands_in_the_order_is_left_in_names_and_masked_in_texts() -> None:
    redactor = Redactor([b"backup-production"], '{"stores":[{"name":"s3-backup-production"}]}')
    said = {"store": "s3-backup-production", "message": "user backup-production was refused"}
    assert redactor.json(said) == {"store": "s3-backup-production", "message": f"user {MASK} was refused"}
