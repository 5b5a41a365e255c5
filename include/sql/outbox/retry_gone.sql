-- Send once more what a person wants back that QuickBooks no longer has.
select outbox.retry_gone(%(delivery_id)s, %(company_id)s) as is_retried;
