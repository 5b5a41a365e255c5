"""``python -m sandbox``: a local QuickBooks Online."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from pathlib import Path

from sandbox.sandbox import CLIENT_ID, CLIENT_SECRET
from sandbox.server import serve
from sandbox.webhooks import VERIFIER_TOKEN, WebhookSettings


def main() -> int:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description="A local QuickBooks Online.",
        epilog="SANDBOX_WEBHOOK_VERIFIER_TOKEN is what webhooks are signed with.",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--name", action="append", default=[], dest="names", help="of this machine, for the control API"
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--data", type=Path, metavar="FILE.sqlite", help="keep everything in this file")
    parser.add_argument("--seed", type=int, default=7, help="makes ids, names and amounts repeatable")
    parser.add_argument("--port-file", type=Path, metavar="FILE", help="write the port here once it listens")
    parser.add_argument("--client-id", default=CLIENT_ID)
    parser.add_argument("--client-secret", default=CLIENT_SECRET)
    parser.add_argument("--webhook-url", default="", metavar="URL", help="tell of every change here")
    parser.add_argument("--webhook-format", choices=["cloudevents", "legacy"], default="cloudevents")
    options = vars(parser.parse_args())
    webhooks = WebhookSettings(
        endpoint=options.pop("webhook_url"),
        format=options.pop("webhook_format"),
        verifier_token=os.environ.get("SANDBOX_WEBHOOK_VERIFIER_TOKEN") or VERIFIER_TOKEN,
    )
    try:
        serve(**options, webhooks=webhooks)
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
