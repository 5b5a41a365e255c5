-- Keep the company that is being connected; the facts of other books than before are read afresh.
insert into peakflo.company as kept (company_id, realm_id, name)
values (%(company_id)s, %(realm_id)s, %(name)s)
on conflict (company_id) do update
    set
        realm_id = excluded.realm_id,
        name = excluded.name,
        time_zone = case when kept.realm_id = excluded.realm_id then kept.time_zone else excluded.time_zone end;
