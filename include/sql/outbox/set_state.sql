-- Move a delivery on, with the reason.
update outbox.delivery
set
    state = %(state)s,
    code = %(code)s,
    reason = %(reason)s
where delivery_id = %(delivery_id)s and (state, code, reason) is distinct from (%(state)s, %(code)s, %(reason)s);
