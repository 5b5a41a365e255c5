-- Note how far the records of an entity have been compared; with the last one, a round is over.
insert into proof.progress as kept (realm_id, entity, created_since, finished_at)
select
    %(realm_id)s as realm_id,
    %(entity)s as entity,
    %(created_since)s::timestamptz as created_since,
    case when %(created_since)s::timestamptz is null then now() end as finished_at
on conflict (realm_id, entity) do update
    set
        created_since = excluded.created_since,
        finished_at = coalesce(excluded.finished_at, kept.finished_at);
