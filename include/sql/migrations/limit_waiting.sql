-- Wait for no lock longer than others, who wait behind this transaction, can be made to wait.
set local lock_timeout = '2s';
