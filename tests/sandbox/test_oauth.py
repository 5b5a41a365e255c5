from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.oauth import HARD_LIFE_SECONDS, AccessDeniedError, OAuthError

if TYPE_CHECKING:
    from sandbox.oauth import OAuth
    from sandbox.sandbox import Sandbox


@pytest.fixture
def oauth(state: Sandbox) -> OAuth:
    return state.oauth


def test_each_refresh_gives_a_new_refresh_token_and_kills_the_old_one(oauth: OAuth) -> None:
    first = oauth.grant("1")
    second = oauth.refresh(first.refresh.value)
    assert second.refresh.value != first.refresh.value
    with pytest.raises(OAuthError, match="invalid_grant"):
        oauth.refresh(first.refresh.value)


def test_a_race_for_one_refresh_token_revokes_the_connection(oauth: OAuth) -> None:
    first = oauth.grant("1")
    second = oauth.refresh(first.refresh.value)
    with pytest.raises(OAuthError):
        oauth.refresh(first.refresh.value)
    with pytest.raises(OAuthError):
        oauth.refresh(second.refresh.value)
    with pytest.raises(AccessDeniedError, match="revoked"):
        oauth.check_access(second.access.value, "1")


def test_an_old_refresh_token_used_much_later_harms_nobody(oauth: OAuth, state: Sandbox) -> None:
    first = oauth.grant("1")
    second = oauth.refresh(first.refresh.value)
    state.clock.offset_seconds = 61
    with pytest.raises(OAuthError):
        oauth.refresh(first.refresh.value)
    assert oauth.refresh(second.refresh.value)


def test_the_race_may_be_left_unpunished(oauth: OAuth, state: Sandbox) -> None:
    state.settings.change({"punish_reuse": False})
    first = oauth.grant("1")
    second = oauth.refresh(first.refresh.value)
    with pytest.raises(OAuthError):
        oauth.refresh(first.refresh.value)
    assert oauth.refresh(second.refresh.value)


def test_the_previous_refresh_token_may_live_on_for_a_while(oauth: OAuth, state: Sandbox) -> None:
    state.settings.change({"refresh_grace_seconds": 30})
    first = oauth.grant("1")
    oauth.refresh(first.refresh.value)
    assert oauth.refresh(first.refresh.value)
    state.clock.offset_seconds = 31
    with pytest.raises(OAuthError):
        oauth.refresh(first.refresh.value)


def test_access_tokens_live_for_an_hour_of_the_sandboxs_clock(oauth: OAuth, state: Sandbox) -> None:
    access = oauth.grant("1").access.value
    state.clock.offset_seconds = 3590
    assert oauth.check_access(access, "1")
    state.clock.offset_seconds = 3601
    with pytest.raises(AccessDeniedError, match="Token expired"):
        oauth.check_access(access, "1")


def test_refresh_tokens_live_from_use_to_use_but_never_beyond_five_years(
    oauth: OAuth, state: Sandbox
) -> None:
    pair = oauth.grant("1")
    for _ in range(18):
        state.clock.offset_seconds += 100 * 86_400
        pair = oauth.refresh(pair.refresh.value)
    body = oauth.answer(pair, with_hard_expiry=True)
    left = HARD_LIFE_SECONDS - state.clock.offset_seconds
    assert body["x_refresh_token_hard_expires_in"] == pytest.approx(left, abs=5)
    assert body["x_refresh_token_expires_in"] == pytest.approx(left, abs=5)
    state.clock.offset_seconds = HARD_LIFE_SECONDS + 1
    with pytest.raises(OAuthError):
        oauth.refresh(pair.refresh.value)


def test_an_unused_refresh_token_dies(oauth: OAuth, state: Sandbox) -> None:
    pair = oauth.grant("1")
    state.clock.offset_seconds = 102 * 86_400
    with pytest.raises(OAuthError, match="invalid_grant"):
        oauth.refresh(pair.refresh.value)


def test_a_code_lives_for_five_minutes(oauth: OAuth, state: Sandbox) -> None:
    code = oauth.consent("1", "http://localhost/back")
    state.clock.offset_seconds = 301
    with pytest.raises(OAuthError, match="invalid_grant"):
        oauth.exchange(code, "http://localhost/back")


def test_a_code_is_bound_to_its_redirect_uri(oauth: OAuth) -> None:
    code = oauth.consent("1", "http://localhost/back")
    with pytest.raises(OAuthError) as refused:
        oauth.exchange(code, "http://localhost/elsewhere")
    assert refused.value.body == {"error": "invalid_grant", "error_description": "Invalid authorization code"}


def test_a_code_used_twice_revokes_what_it_gave(oauth: OAuth) -> None:
    code = oauth.consent("1", "http://localhost/back")
    pair = oauth.exchange(code, "http://localhost/back")
    with pytest.raises(OAuthError):
        oauth.exchange(code, "http://localhost/back")
    with pytest.raises(AccessDeniedError, match="revoked"):
        oauth.check_access(pair.access.value)


def test_a_token_opens_only_its_company(oauth: OAuth) -> None:
    access = oauth.grant("1").access.value
    with pytest.raises(AccessDeniedError) as denied:
        oauth.check_access(access, "2")
    assert denied.value.is_wrong_company


def test_wrong_keys_are_told_from_a_wrong_grant(oauth: OAuth) -> None:
    with pytest.raises(OAuthError) as refused:
        oauth.check_client("sandbox-client", "guess")
    assert (refused.value.status, refused.value.body) == (401, {"error": "invalid_client"})


def test_a_company_can_be_disconnected_from_quickbooks_side(oauth: OAuth) -> None:
    mine, other = oauth.grant("1"), oauth.grant("2")
    oauth.revoke_company("1")
    with pytest.raises(OAuthError):
        oauth.refresh(mine.refresh.value)
    assert oauth.refresh(other.refresh.value)
