-- Forget the progress of an import so old that change data capture does not reach back to its beginning.
with outdated as (
    delete from staging.import_progress
    where realm_id = %(realm_id)s and started_at < now() - %(reach)s
    returning realm_id
)

delete from staging.import_seen as seen
where
    seen.realm_id = %(realm_id)s
    and (
        exists (select 1 from outdated)
        or not exists (select 1 from staging.import_progress as progress
where progress.realm_id = %(realm_id)s)
    );
