-- Tell whether records of an entity came without an Id: several that look the same are one problem.
select exists(
    select
    from sync.problem
    where
        company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and direction = 'inbound'
        and entity = %(entity)s
        and qbo_id like 'no Id, %%'
        and code = 'unreadable'
        and state <> 'resolved'
);
