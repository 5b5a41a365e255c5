-- Save a proof. How long what had no cause had none is told by the proof before.
with previous as (
    select max(proof.proof_id) as proof_id
    from proof.proof as proof
    where
        proof.company_id = %(company_id)s
        and proof.realm_id = %(realm_id)s
        and proof.verdict <> 'not_proved'
),

saved as (
    insert into proof.proof (
        company_id, realm_id, run_id, verdict, reason, home_currency, report_day, quickbooks_total, peakflo_total,
        difference_total, explained_total, time_to_explanation, repaired, counts, calls
    )
    select
        %(company_id)s as company_id,
        %(realm_id)s as realm_id,
        %(run_id)s as run_id,
        %(verdict)s as verdict,
        %(reason)s as reason,
        %(home_currency)s as home_currency,
        %(report_day)s::date as report_day,
        %(quickbooks_total)s::numeric as quickbooks_total,
        %(peakflo_total)s::numeric as peakflo_total,
        %(difference_total)s::numeric as difference_total,
        %(explained_total)s::numeric as explained_total,
        case
            when %(verdict)s <> 'not_proved'
                then (
                    select now() - min(former.first_found_at)
                    from proof.difference as former
                    where
                        former.proof_id = (select previous.proof_id from previous)
                        and not former.is_explained
                        and not exists (
                            select
                            from jsonb_to_recordset(%(differences)s::jsonb) as found (
                                entity text, qbo_id text, customer_id text, is_explained boolean
                            )
                            where
                                (found.entity, found.qbo_id, found.customer_id)
                                = (former.entity, former.qbo_id, former.customer_id)
                                and not found.is_explained
                        )
                )
        end as time_to_explanation,
        %(repaired)s as repaired,
        %(counts)s::jsonb as counts,
        %(calls)s as calls
    returning proof_id
),

customers as (
    insert into proof.customer (proof_id, customer_id, name, quickbooks, peakflo)
    select
        saved.proof_id,
        listed.customer_id,
        listed.name,
        listed.quickbooks,
        listed.peakflo
    from saved
    cross join jsonb_to_recordset(%(customers)s::jsonb) as listed (
        customer_id text, name text, quickbooks numeric, peakflo numeric
    )
),

differences as (
    insert into proof.difference (
        proof_id, position, class, entity, qbo_id, name, customer_id, customer_name, field, quickbooks, peakflo,
        amount, is_explained, is_repaired, sentence, remedy, owner, first_found_at
    )
    select
        saved.proof_id,
        listed.position,
        listed.class,
        listed.entity,
        listed.qbo_id,
        listed.name,
        listed.customer_id,
        listed.customer_name,
        listed.field,
        listed.quickbooks,
        listed.peakflo,
        listed.amount,
        listed.is_explained,
        listed.is_repaired,
        listed.sentence,
        listed.remedy,
        listed.owner,
        coalesce(
            (
                select min(former.first_found_at)
                from proof.difference as former
                where
                    former.proof_id = (select previous.proof_id from previous)
                    and (former.entity, former.qbo_id, former.customer_id)
                    = (listed.entity, listed.qbo_id, listed.customer_id)
            ),
            now()
        ) as first_found_at
    from saved
    cross join jsonb_to_recordset(%(differences)s::jsonb) as listed (
        position integer, class text, entity text, qbo_id text, name text, customer_id text, customer_name text,
        field text, quickbooks text, peakflo text, amount numeric, is_explained boolean, is_repaired boolean,
        sentence text, remedy text, owner text
    )
)

select proof_id
from saved;
