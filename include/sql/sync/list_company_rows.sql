-- List where rows of a company are.
select
    relation::text as relation,
    columns,
    condition
from sync.company_rows(%(company_id)s);
