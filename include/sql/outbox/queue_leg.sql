-- Add the leg that a payment turns out to need, once.
insert into outbox.delivery (company_id, realm_id, payment_id, leg, operation, request_id)
values (
    %(company_id)s, %(realm_id)s, %(payment_id)s, %(leg)s, 'create',
    outbox.request_id(%(leg)s, 'create', %(payment_id)s, 0)
)
on conflict (company_id, payment_id, leg, operation) do nothing;
