-- Map a purpose to no account.
delete from sync.account_mapping
where
    company_id = %(company_id)s
    and realm_id = %(realm_id)s
    and purpose = %(purpose)s
    and detail = %(detail)s
returning account_qbo_id;
