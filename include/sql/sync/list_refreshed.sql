-- List the companies whose reference data was refreshed as a whole within some time.
select distinct company_id
from sync.run
where
    dag_id = 'refresh_reference_data'
    and state = 'success'
    and counts ?& %(entities)b::text[]
    and ended_at > now() - %(period)s;
