-- Begin a run in the sync log that does not hold its company.
insert into sync.run (company_id, realm_id, dag_id, dag_run_id, try_number, clear_number, state, is_exclusive)
values (%(company_id)s, %(realm_id)s, %(dag_id)s, %(dag_run_id)s, %(try_number)s, %(clear_number)s, 'running', false)
returning run_id;
