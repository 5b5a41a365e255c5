-- Wake whoever delivers for a company.
select pg_notify('outbox_delivery', %(company_id)s);
