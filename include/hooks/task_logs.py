"""The files of Airflow's logs on this machine."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from airflow.sdk.configuration import conf

logger = logging.getLogger(__name__)


def log_folder() -> Path:
    """Return where Airflow keeps the logs of tasks."""
    return Path(conf.get("logging", "base_log_folder"))


def delete_old(folder: Path, before: float) -> int:
    """
    Delete log files, and the folders that are empty then.

    :param before: files that were last written earlier go, in seconds since the epoch.
    :return: how many files were deleted.
    """
    # A folder's own time is that of its last change before this one: a new folder may wait for its first file.
    walked = [(Path(path), os.stat(path).st_mtime, names) for path, _, names in os.walk(folder)]
    deleted = 0
    for path, changed_at, names in reversed(walked):
        deleted += sum(_delete_if_old(path / name, before) for name in names if ".log" in name)
        if path != folder and changed_at < before and not any(path.iterdir()):
            path.rmdir()
    logger.info("%d log files deleted below %s.", deleted, folder)
    return deleted


def _delete_if_old(file: Path, before: float) -> bool:
    # A link, such as the dag processor's to its latest folder, is left alone.
    if file.is_symlink() or file.stat().st_mtime >= before:
        return False
    file.unlink()
    return True
