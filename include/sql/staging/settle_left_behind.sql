-- Forget the customers that went and have nothing any more, or only what was read since.
delete from staging.gone_customer as gone
where
    gone.realm_id = %(realm_id)s
    and gone.qbo_id not in (
        select customer_qbo_id
        from peakflo.left_behind(%(company_id)s, %(realm_id)s)
        where entity || '/' || qbo_id <> all(%(read)s)
    );
