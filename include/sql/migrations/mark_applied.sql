-- Record a migration as applied.
insert into public.receivables_migration (name, checksum) values (%(name)s, %(checksum)s);
