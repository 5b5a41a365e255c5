-- Open the attempt to find out whether a request was carried out.
insert into outbox.attempt (delivery_id, run_id, request_id, action)
values (%(delivery_id)s, %(run_id)s, %(request_id)s, 'search')
returning attempt_id;
