-- Stage records that are not known yet, as they came.
copy staging.record (
    realm_id, entity, qbo_id, sync_token, qbo_updated_at, content_hash, payload, read_at, run_id
) from stdin;
