-- Tell whether an earlier try of the same DAG run went through for the company's books, and nobody cleared it since.
select exists(
    select 1
    from sync.run
    where
        dag_id = %(dag_id)s
        and dag_run_id = %(dag_run_id)s
        and clear_number = %(clear_number)s
        and company_id = %(company_id)s
        and realm_id = %(realm_id)s
        and state = 'success'
) as has_succeeded;
