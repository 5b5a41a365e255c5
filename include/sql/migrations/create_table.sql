-- Keep which migrations have been applied, with the checksum of the file that was.
create table if not exists public.receivables_migration (
    name text primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
);
