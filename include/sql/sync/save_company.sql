-- Keep the company that is being connected; the facts of other books than before are read afresh.
insert into peakflo.company as kept (company_id, realm_id, name)
values (%(company_id)s, %(realm_id)s, %(name)s)
on conflict (company_id) do update
    set
        realm_id = excluded.realm_id,
        name = excluded.name,
        source_name = case when kept.realm_id = excluded.realm_id then kept.source_name end,
        home_currency = case when kept.realm_id = excluded.realm_id then kept.home_currency end,
        country = case when kept.realm_id = excluded.realm_id then kept.country end,
        time_zone = case when kept.realm_id = excluded.realm_id then kept.time_zone else excluded.time_zone end,
        book_close_date = case when kept.realm_id = excluded.realm_id then kept.book_close_date end;
