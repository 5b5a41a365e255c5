from __future__ import annotations

from include.dag_defaults import IMPORT_POOL
from local.files import read_json
from local.stack import POOLS


def test_every_pool_that_a_dag_names_is_made():
    # A task whose pool is missing waits for ever.
    assert IMPORT_POOL in read_json(POOLS)
