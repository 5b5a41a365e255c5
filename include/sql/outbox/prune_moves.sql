-- Forget some old moves of the records of payments that have been at rest for as long.
select forgotten.move_id
from outbox.prune_moves(%(kept_for)s::interval, %(most)s) as forgotten (move_id);
