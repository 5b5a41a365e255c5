-- Record what a person decided about a difference of a payment.
insert into outbox.decision (company_id, payment_id, kind, code, fingerprint, lets_go, snapshot, decided_by)
values (
    %(company_id)s,
    %(payment_id)s,
    %(kind)s,
    %(code)s,
    %(fingerprint)s,
    %(lets_go)s,
    %(snapshot)s::jsonb,
    %(decided_by)s
);
