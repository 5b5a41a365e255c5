-- Keep how far the import of an entity has come, in the transaction that stages its page.
insert into staging.import_progress as kept (
    realm_id, entity, started_at, created_since, start_position, last_ids, records_read, finished_at
)
values (
    %(realm_id)s,
    %(entity)s,
    %(started_at)s,
    %(created_since)s,
    %(start_position)s,
    %(last_ids)b,
    %(records_read)s,
    case when %(is_finished)s then now() end
)
on conflict (realm_id, entity) do update
    set
        created_since = excluded.created_since,
        start_position = excluded.start_position,
        last_ids = excluded.last_ids,
        records_read = excluded.records_read,
        finished_at = excluded.finished_at;
