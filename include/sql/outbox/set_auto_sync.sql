-- Switch a company's two-way payment sync on or off.
insert into sync.company_setting (company_id, auto_sync)
values (%(company_id)s, %(auto_sync)s)
on conflict (company_id) do update
    set auto_sync = excluded.auto_sync;
