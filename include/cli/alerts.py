"""Who is told of what is wrong: the channels, what is open, and a test of whether somebody is reached."""

from __future__ import annotations

from dataclasses import asdict
from getpass import getuser
from typing import TYPE_CHECKING, Any

from include.cli.output import print_table, to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from datetime import time

    Command = Callable[[argparse.Namespace], None]

COLUMNS = ("alert_id", "company_id", "code", "level", "opened_at", "closed_at", "sentence", "sent", "waiting")
CHANNEL_COLUMNS = (
    "name", "kind", "connection_id", "recipients", "company_id", "level", "codes", "quiet", "last_sent_at",
    "failures", "last_error",
)  # fmt: skip


def add_alert_commands(commands: Any) -> None:
    """Add ``alerts`` to the command line."""
    alerts = commands.add_parser("alerts", help="what is wrong, and who is told of it")
    actions = alerts.add_subparsers(required=True, metavar="ACTION")
    listing = _add(actions, "list", _list, "list what is wrong, or what was")
    listing.add_argument("--company", metavar="COMPANY", help="only of this company")
    listing.add_argument("--past", action="store_true", help="what is over")
    _add(
        actions, "send", _send, "look at what is wrong now and send what is due, as the DAG send_alerts does"
    )
    _add(actions, "test", _test, "send a test message").add_argument("name", metavar="CHANNEL")
    channel = actions.add_parser("channel", help="add, list or remove what alerts are told through")
    ways = channel.add_subparsers(required=True, metavar="ACTION")
    _add(ways, "list", _list_channels, "list the channels and how they get on")
    _add(ways, "remove", _remove, "tell a channel nothing more").add_argument("name", metavar="CHANNEL")
    _add_options(_add(ways, "add", _add_channel, "add a channel; it is told of what is open already"))


def _add(commands: Any, name: str, command: Command, explanation: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=explanation)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(command=command)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    from include.receivables.alerts.channels import KINDS, LEVELS

    parser.add_argument("name", metavar="CHANNEL", help="such as finance")
    parser.add_argument("--kind", required=True, choices=KINDS)
    parser.add_argument(
        "--connection",
        required=True,
        metavar="ID",
        help="the Airflow connection: server or address, and secret",
    )
    parser.add_argument(
        "--to", action="append", default=[], metavar="ADDRESS", help="of mail; may be repeated"
    )
    parser.add_argument("--company", default="", metavar="COMPANY", help="only what concerns this company")
    parser.add_argument("--level", default="warning", choices=LEVELS, help="the least that is told")
    parser.add_argument(
        "--code", action="append", metavar="CODE", help="only this cause, such as reconnect; may be repeated"
    )
    parser.add_argument(
        "--quiet", type=_hours, default=(None, None), metavar="22:00-07:00", help="when warnings wait"
    )
    parser.add_argument(
        "--time-zone", default="UTC", metavar="ZONE", help="of the quiet hours, such as Asia/Singapore"
    )


def _hours(text: str) -> tuple[time, time]:
    import argparse
    from datetime import time

    try:
        begins, ends = map(time.fromisoformat, text.split("-"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} are no hours: write them like 22:00-07:00") from None
    return begins, ends


def _list(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.listing import list_alerts

    with ReceivablesDbHook().get_conn() as db:
        page = list_alerts(db, state="closed" if options.past else "open", company_id=options.company)
    if options.json:
        print(to_json(page.rows))
        return
    print_table(COLUMNS, [row | _joined(row, "sent", "waiting") for row in page.rows])
    if page.has_more:
        print(f"… and more before alert {page.rows[-1]['alert_id']}; the page QuickBooks → Alerts has all.")


def _send(options: argparse.Namespace) -> None:
    from include.dag_defaults import base_url
    from include.hooks.alert_courier import AlertCourier
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.telling import tell

    with ReceivablesDbHook().get_conn() as db:
        sent = tell(db, AlertCourier(), base_url=base_url())
    print(to_json(sent) if options.json else f"messages {sent['messages']}, alerts {sent['alerts']}")


def _test(options: argparse.Namespace) -> None:
    from include.dag_defaults import base_url
    from include.hooks.alert_courier import AlertCourier
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.sending import send_test

    with ReceivablesDbHook().get_conn() as db:
        send_test(db, AlertCourier(), options.name, by=getuser(), base_url=base_url())
    print(to_json({"channel": options.name}) if options.json else f"{options.name}: the message was taken")


def _list_channels(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.channels import list_channels

    with ReceivablesDbHook().get_conn() as db:
        rows = [asdict(channel) for channel in list_channels(db)]
    if options.json:
        print(to_json(rows))
        return
    print_table(CHANNEL_COLUMNS, [row | _joined(row, "recipients", "codes") | _quiet(row) for row in rows])


def _add_channel(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.channels import NewChannel, add_channel

    quiet_from, quiet_until = options.quiet
    channel = NewChannel(
        options.name,
        options.kind,
        options.connection,
        recipients=options.to,
        company_id=options.company,
        level=options.level,
        codes=options.code,
        quiet_from=quiet_from,
        quiet_until=quiet_until,
        time_zone=options.time_zone,
    )
    with ReceivablesDbHook().get_conn() as db:
        add_channel(db, channel, by=getuser())
    print(
        to_json({"channel": options.name})
        if options.json
        else f"{options.name}: added; `bin/receivables alerts test {options.name}` shows whether it works"
    )


def _remove(options: argparse.Namespace) -> None:
    from include.hooks.receivables_db import ReceivablesDbHook
    from include.receivables.alerts.channels import remove_channel

    with ReceivablesDbHook().get_conn() as db:
        remove_channel(db, options.name)
    print(to_json({"channel": options.name}) if options.json else f"{options.name}: removed")


def _joined(row: dict[str, Any], *names: str) -> dict[str, str]:
    return {name: ", ".join(row[name] or ()) for name in names}


def _quiet(row: dict[str, Any]) -> dict[str, str]:
    if row["quiet_from"] is None:
        return {"quiet": ""}
    return {"quiet": f"{row['quiet_from']:%H:%M}-{row['quiet_until']:%H:%M} {row['time_zone']}"}
