-- Read the latest day that a document of a company bears.
select
    greatest(
        (
            select max(invoice.issue_date)
            from peakflo.invoice as invoice
            where invoice.company_id = %(company_id)s and invoice.realm_id = %(realm_id)s
        ),
        (
            select max(note.issue_date)
            from peakflo.credit_note as note
            where note.company_id = %(company_id)s and note.realm_id = %(realm_id)s
        ),
        (
            select max(payment.payment_date)
            from peakflo.payment as payment
            where payment.company_id = %(company_id)s and payment.realm_id = %(realm_id)s
        )
    );
