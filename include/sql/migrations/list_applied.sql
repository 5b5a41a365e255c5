-- List the migrations that the database already has.
select
    name,
    checksum
from public.receivables_migration;
