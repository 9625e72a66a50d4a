import base64
import hashlib
from pathlib import Path

import pytest

from strongroom.api.errors import Reason, StrongroomError
from strongroom.stores.s3.parts import MEMORY_BYTES, MOST_PARTS, Part, part_bytes

TEBIBYTE, GIBIBYTE, MEBIBYTE = 1 << 40, 1 << 30, 1 << 20


def test_ten_thousand_parts_hold_five_tebibytes_and_each_is_of_a_size_that_s3_takes():
    sizes = [part_bytes(number) for number in range(1, MOST_PARTS + 1)]
    assert sum(sizes) >= 5 * TEBIBYTE
    assert min(sizes) >= 5 * MEBIBYTE
    assert max(sizes) <= 5 * GIBIBYTE
    assert sizes == sorted(sizes)


def test_the_parts_of_the_first_31_gibibytes_fit_in_memory():
    assert (
        sum(size for number in range(1, 3000) if (size := part_bytes(number)) <= MEMORY_BYTES) > 31 * GIBIBYTE
    )


def test_one_part_more_than_s3_takes_is_a_full_store():
    with pytest.raises(StrongroomError) as caught:
        part_bytes(MOST_PARTS + 1)
    assert caught.value.reason is Reason.StoreFull


@pytest.mark.parametrize("limit", [10, MEMORY_BYTES + 1])
def test_a_part_takes_what_fits_and_is_read_as_often_as_it_is_sent(limit):
    part = Part(limit)
    assert part.take(b"12345") == 5
    assert part.take(memoryview(bytes(limit))) == limit - 5
    assert part.is_full
    moved: list[None] = []
    content = part.rewound(lambda: moved.append(None)).read()
    assert moved == [None]
    assert part.rewound(lambda: None).read() == content == b"12345" + bytes(limit - 5)
    assert part.md5 == base64.b64encode(hashlib.md5(content).digest()).decode()
    part.close()


def test_a_disk_that_is_full_is_told_with_the_place():
    part = Part(MEMORY_BYTES + 1)
    part.body.close()
    with Path("/dev/full").open("wb", buffering=0) as full:
        part.body = full
        with pytest.raises(StrongroomError, match="scratch folder") as caught:
            part.take(b"content")
    assert caught.value.reason is Reason.StoreFull
