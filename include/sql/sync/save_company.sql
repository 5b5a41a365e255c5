-- Keep the company that is being connected.
insert into peakflo.company as kept (company_id, realm_id, name)
values (%(company_id)s, %(realm_id)s, %(name)s)
on conflict (company_id) do update
    set
        realm_id = excluded.realm_id,
        name = excluded.name;
