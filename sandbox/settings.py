"""
What a test may change about the sandbox, for all companies or for one.

Where no source says how QuickBooks behaves, a setting offers both ways.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """
    The settings in force.

    :param throttle: whether the request limits of QuickBooks apply.
    :param throttle_retry_after: seconds to announce in a Retry-After header; QuickBooks sends none.
    :param throttle_xml: answer 429 in XML whatever was asked for, as seen in recordings of 2016-17.
    :param latency_ms: how long every API call takes at least.
    :param cdc_cap: how many objects an answer of change data capture holds.
    :param cdc_cap_scope: whether the cap counts per answer or per entity.
    :param cdc_keeps: which objects a full answer keeps: the oldest, the newest, or live ones before deleted ones.
    :param requestid_mode: whether a repeated requestid gets the first answer again.
    :param requestid_window_seconds: for how long it does.
    :param requestid_remembers_faults: whether a refusal is repeated as well.
    :param refresh_grace_seconds: for how long a refresh token lives on after it was used.
    :param punish_reuse: whether the second use of a refresh token within 60 s revokes the connection.
    :param access_token_seconds: how long an access token lives.
    :param refresh_token_seconds: how long an unused refresh token lives.
    :param batches_a_minute: how many batches pass in a minute: 40, or 120 since October 2025.
    :param reports_a_minute: how many reports pass in a minute.
    :param batch_limit: how many items a batch may have.
    :param over_application: what a payment line above the open balance does: it is refused, or capped.
    :param delete_linked: whether a transaction with payments may be deleted, which unlinks them.
    :param journal_versions: whether applying a payment makes a new version of the journal entry, deposit or check.
    :param subscription: an ended one refuses every write.
    :param order_by_id: whether a query may be ordered by Id; else it is refused, or its order ignored.
    :param order_by: what becomes of any other order: it is ignored, or rows come shuffled, the same way
        for the same statement or in another way in each answer.
    :param subtotal_lines: whether the lines of a form have their subtotal among them.
    :param bundle_members: whether a line of a bundle says what is in it.
    :param countries: how countries are spelt: as in the books, or with three letters.
    :param merge_versions: whether transactions that a merge of customers moves get new versions.
    :param falling_times: how many seconds before the last version's LastUpdatedTime that of a new one lies.
    :param quota: once the month's is used up, every read is refused as too many, and writes go on.
    :param report_cells: how many cells a report has; its last row says if there would be more.
    :param report_rows: after how many lines a report ends, of which nothing in it tells.
    :param report_days_off: how many days after the day asked for the day is that a report is of.
    :param report_basis: which basis a report has whatever is asked for.
    :param report_columns: in which order the columns are.
    :param report_row_types: which rows without others below them have a type.
    :param report_zeros: how zero is spelt; usually it depends on the cell.
    :param report_labels: whether the grand total is in capitals.
    :param report_order: whether rows are in order of names and dates.
    """

    throttle: Literal["on", "off"] = "on"
    throttle_retry_after: int | None = None
    throttle_xml: bool = False
    latency_ms: float = 0
    cdc_cap: int = 1000
    cdc_cap_scope: Literal["response", "entity"] = "response"
    cdc_keeps: Literal["oldest", "newest", "live_first"] = "oldest"
    requestid_mode: Literal["honour", "ignore"] = "honour"
    requestid_window_seconds: float = 86_400
    requestid_remembers_faults: bool = False
    refresh_grace_seconds: float = 0
    punish_reuse: bool = True
    access_token_seconds: int = 3600
    refresh_token_seconds: int = 8_726_400
    batches_a_minute: int = 40
    reports_a_minute: int = 200
    batch_limit: int = 30
    over_application: Literal["refuse", "cap"] = "refuse"
    delete_linked: Literal["unlink", "refuse"] = "unlink"
    journal_versions: bool = False
    subscription: Literal["active", "ended"] = "active"
    order_by_id: Literal["honour", "refuse", "ignore"] = "honour"
    order_by: Literal["honour", "ignore", "shuffle", "shuffle_anew"] = "honour"
    subtotal_lines: bool = True
    bundle_members: bool = True
    countries: Literal["alpha_2", "alpha_3"] = "alpha_2"
    merge_versions: bool = True
    falling_times: int = 0
    quota: Literal["left", "used_up"] = "left"
    report_cells: int = 400_000
    report_rows: int | None = None
    report_days_off: int = 0
    report_basis: Literal["asked", "Accrual", "Cash"] = "asked"
    report_columns: Literal["usual", "reversed"] = "usual"
    report_row_types: Literal["nested", "all", "none"] = "nested"
    report_zeros: Literal["usual", "blank", "0.00", ".00"] = "usual"
    report_labels: Literal["capitals", "title"] = "capitals"
    report_order: Literal["name", "id"] = "name"


# What Intuit has announced, or answers to some companies and not to others; all of it at once.
PROFILES: dict[str, dict[str, Any]] = {
    "intuit_changes": {
        "order_by_id": "refuse",
        "order_by": "ignore",
        "subtotal_lines": False,
        "bundle_members": False,
        "countries": "alpha_3",
        "merge_versions": False,
        "batches_a_minute": 120,
        "report_zeros": "blank",
        "report_labels": "title",
        "report_order": "id",
    }
}


class SettingsBook:
    """The settings for all companies and, on top, those of single ones."""

    def __init__(self) -> None:
        self.changes: dict[str, dict[str, Any]] = {}
        self._built: dict[str, Settings] = {}

    def of(self, realm_id: str = "") -> Settings:
        """Return the settings in force for a company, or the general ones."""
        if realm_id not in self._built:
            self._built[realm_id] = self._build(realm_id, {})
        return self._built[realm_id]

    def change(self, values: dict[str, Any], realm_id: str = "") -> Settings:
        """
        Change some settings, or all those of a ``profile``.

        :raises msgspec.ValidationError: when a name or a value is unknown; nothing is changed then.
        """
        profile = values.pop("profile", None)
        if profile is not None:
            if profile not in PROFILES:
                raise msgspec.ValidationError(
                    f"There is no profile {profile}; there are {', '.join(PROFILES)}."
                )
            values = PROFILES[profile] | values
        self._build(realm_id, values)
        self.changes.setdefault(realm_id, {}).update(values)
        self._built.clear()
        return self.of(realm_id)

    def clear(self) -> list[str]:
        """Go back to the defaults, and return the realms whose settings were changed."""
        realms = list(self.changes)
        self.changes.clear()
        self._built.clear()
        return realms

    def _build(self, realm_id: str, values: dict[str, Any]) -> Settings:
        chosen = {**self.changes.get("", {}), **self.changes.get(realm_id, {}), **values}
        return msgspec.convert(chosen, Settings)
