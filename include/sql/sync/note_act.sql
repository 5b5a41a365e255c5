-- Write down an act of which no other row tells, or one that was denied.
select sync.note_act(%(company_id)s, %(act)s, %(outcome)s, %(facts)s::jsonb);
