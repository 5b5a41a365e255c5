-- Note when the causes of alerts are looked at; who comes meanwhile waits for the end of the transaction.
insert into sync.alert_evaluation (evaluated_at) values (%(moment)s)
on conflict (is_only) do update set evaluated_at = greatest(alert_evaluation.evaluated_at, excluded.evaluated_at);
