"""`make bench`: ratios from one run on this machine. Nothing here asserts: machines differ, and CI's are noisy."""

from tests.bench.container_bench import measure_container
from tests.bench.media_bench import measure_media
from tests.bench.restore_bench import measure_restore
from tests.bench.scale_bench import measure_scale
from tests.bench.stores_bench import measure_stores
from tests.bench.worker_bench import measure_worker


def main() -> None:
    """The worker against pg_dump and the seed's script; then a thousand policies."""
    for title, measure in (
        ("One worker, a database of 1 GB", measure_worker),
        ("One worker, the same database in a container", measure_container),
        ("One worker, a database of 1 GB restored in place", measure_restore),
        ("One worker, media files of 2 GB", measure_media),
        ("One worker, the same database encrypted into several stores", measure_stores),
        ("An operator of 1,000 policies and 10,000 runs", measure_scale),
    ):
        print(title)
        for name, figure in measure().items():
            print(f"  {name:<60} {figure:10.2f}")


if __name__ == "__main__":
    main()
