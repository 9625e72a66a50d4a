"""That no right of a worker in a container reaches beyond its mounts."""

import os

from tests.unit.agent.test_permissions import order

from strongroom.agent.allowances import OWN_IMAGE
from strongroom.agent.folders import JobFolder
from strongroom.agent.mounting import capabilities
from strongroom.agent.working import Launch

# open_by_handle_at(2): its right is looked at before the handle, which is none of any file here.
PROBE = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
handle = (ctypes.c_uint32 * 4)(8, 1, 2, 0)
libc.open_by_handle_at(os.open("/media", os.O_RDONLY), handle, os.O_RDONLY)
print(errno.errorcode[ctypes.get_errno()], open("/media/foreign").read())
"""


def test_a_worker_that_reads_files_reads_all_of_its_mounts_and_opens_nothing_by_handle(
    worker_engine, tmp_path
):
    (tmp_path / "foreign").write_text("read")
    (tmp_path / "foreign").chmod(0o400)
    os.chown(tmp_path / "foreign", 33, 33)
    launch = Launch(None, JobFolder(tmp_path, tmp_path), 1, order({"files": {"volume": "media"}}))
    rights = [f"--cap-add={name}" for name in capabilities(launch, 0)]
    mounted = ("--rm", "--user=0", "--cap-drop=ALL", *rights, f"--volume={tmp_path}:/media:ro")
    command = ("--entrypoint=python3", OWN_IMAGE, "-c", PROBE)
    assert worker_engine.docker("run", *mounted, *command) == "EPERM read"
