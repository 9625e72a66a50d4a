"""Files as a shop's media folder has them, the same for the same number: python3 seed_media.py FILES.

Pictures that do not compress with their thumbnails, invoices that do, names in several scripts, an empty file, links, a sparse file.
"""

import os
import random
import sys
from pathlib import Path

MEDIA = Path(os.environ.get("MEDIA_ROOT", "/srv/media"))
_NAMES = ["käse", "brot", "tee", "кофе", "茶碗", "olive oil"]


def main(files: int) -> None:
    # Not for secrets: the same files for the same number.
    numbers = random.Random(20250101)  # noqa: S311
    for number in range(files):
        name = f"{_NAMES[number % len(_NAMES)]} {number}"
        folder = f"{2024 + number % 2}/{1 + number % 12:02}"
        _write(
            f"products/{folder}/{name}.jpg",
            b"\xff\xd8\xff\xe0" + numbers.randbytes(numbers.randint(2_000, 60_000)),
        )
        _write(f"thumbnails/{folder}/{name}.jpg", b"\xff\xd8\xff\xe0" + numbers.randbytes(1_500))
        _write(
            f"invoices/{folder}/{number:06}.txt",
            f"Invoice {number}: {name}\n".encode() * numbers.randint(5, 200),
        )
    _write("uploads/empty.dat", b"")
    _links(MEDIA)
    print(f"{files * 3 + 4} files in {MEDIA}")


def _write(name: str, content: bytes) -> None:
    path = MEDIA / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _links(media: Path) -> None:
    links = media / "links"
    links.mkdir(exist_ok=True)
    for name in ("symbolic", "hard", "sparse"):
        (links / name).unlink(missing_ok=True)
    (links / "symbolic").symlink_to("../uploads/empty.dat")
    (links / "hard").hardlink_to(media / "uploads/empty.dat")
    with (links / "sparse").open("wb") as sparse:
        sparse.truncate(4 << 20)
        sparse.seek(2 << 20)
        sparse.write(b"an island")


if __name__ == "__main__":
    main(int(sys.argv[1]))
