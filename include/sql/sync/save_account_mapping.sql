-- Map a purpose to an account; who chose the same one before is kept.
insert into sync.account_mapping as kept (company_id, realm_id, purpose, detail, account_qbo_id, mapped_by)
values (%(company_id)s, %(realm_id)s, %(purpose)s, %(detail)s, %(account_qbo_id)s, %(mapped_by)s)
on conflict (company_id, realm_id, purpose, detail) do update
    set
        account_qbo_id = excluded.account_qbo_id,
        mapped_by = excluded.mapped_by,
        mapped_at = now()
    where kept.account_qbo_id <> excluded.account_qbo_id;
