"""``python -m include.sandbox``: a local QuickBooks Online."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path

from include.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET
from include.sandbox.server import serve


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m include.sandbox", description="A local QuickBooks Online."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, metavar="FILE.sqlite", help="keep everything in this file")
    parser.add_argument("--seed", type=int, default=7, help="makes ids, names and amounts repeatable")
    parser.add_argument("--port-file", type=Path, metavar="FILE", help="write the port here once it listens")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default=CLIENT_SECRET)
    options = vars(parser.parse_args())
    try:
        serve(**options)
    except sqlite3.Error as error:
        return _fail(f"The sandbox cannot use {options['data']}: {error}. Is another sandbox using it?")
    except OSError as error:
        if error.filename is not None:
            return _fail(f"The sandbox cannot write {error.filename}: {error.strerror}.")
        return _fail(f"The sandbox cannot listen on {options['host']}:{options['port']}: {error.strerror}.")
    return 0


def _fail(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
