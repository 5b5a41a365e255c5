-- Forget an import's progress and which records it saw, so that the next import begins at the beginning.
with cleared as (
    delete from staging.import_progress
where realm_id = %(realm_id)s
)

delete from staging.import_seen
where realm_id = %(realm_id)s;
