-- Find as which customer one goes on that may have been merged into another one.
select mapping.survivor(%(realm_id)s, %(qbo_id)s) as qbo_id;
