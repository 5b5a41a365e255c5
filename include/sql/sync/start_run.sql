-- Begin a run of one company in the sync log.
insert into sync.run (
    company_id, realm_id, dag_id, dag_run_id, try_number, clear_number, asked_at, is_exclusive, state
)
values (
    %(company_id)s,
    %(realm_id)s,
    %(dag_id)s,
    %(dag_run_id)s,
    %(try_number)s,
    %(clear_number)s,
    %(asked_at)s,
    %(is_exclusive)s,
    'running'
)
returning run_id;
