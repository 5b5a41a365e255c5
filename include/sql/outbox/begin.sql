-- Begin a record of a payment, which at once becomes what it is to be.
select
    outbox.begin(
        %(company_id)s,
        %(realm_id)s,
        %(payment_id)s,
        %(document)s,
        %(generation)s,
        %(request_id)s,
        %(state)s,
        %(run_id)s,
        %(why)s,
        %(facts)s::jsonb
    ) as record_id;
