-- Keep a company's connection and the tokens that were just given to it.
insert into sync.connection as kept (company_id, realm_id, status, connected_by)
values (%(company_id)s, %(realm_id)s, 'connected', %(connected_by)s)
on conflict (company_id) do update
    set
        realm_id = excluded.realm_id,
        -- Of the consent before; the new one begins five years of its own.
        refresh_token_hard_expires_at = null,
        status = 'connected',
        connected_by = excluded.connected_by,
        connected_at = now(),
        last_error = null,
        last_error_at = null;
