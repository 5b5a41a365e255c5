"""The properties that QuickBooks knows of each entity, after Intuit's XSD; another one is refused."""

from __future__ import annotations

from typing import Any

from sandbox import faults

# What QuickBooks works out itself: a client may send it back, it has no effect.
COMPUTED = frozenset(
    {
        "status",
        "FullyQualifiedName",
        "Balance",
        "BalanceWithJobs",
        "CurrentBalance",
        "CurrentBalanceWithSubAccounts",
        "HomeBalance",
        "HomeTotalAmt",
        "UnappliedAmt",
        "RemainingCredit",
        "LinkedTxn",
        "Level",
        "AttachableRef",
        "InvoiceLink",
        "invoiceStatus",
        "EInvoiceStatus",
    }
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_COMMON = _names(
    """
    AttachableRef CustomField Id MetaData SyncToken domain sparse status
    """
)
_SALES = _names(
    """
    ARAccountRef ApplyTaxAfterDiscount AutoDocNumber Balance BillAddr BillEmail BillEmailBcc BillEmailCc
    CheckPayment ClassRef CreditCardPayment CurrencyRef CustomerMemo CustomerRef DeliveryInfo
    DepartmentRef DepositToAccountRef DiscountAmt DiscountRate DocNumber DueDate EmailStatus
    ExchangeRate FOB FinanceCharge FreeFormAddress GlobalTaxCalculation GovtTxnRefIdentifier HomeBalance
    HomeTotalAmt HomeTotalCostAmount Line LinkedTxn PONumber PaymentMethodRef PaymentRefNum PaymentType
    PrintStatus PrivateNote ProjectRef RecurDataRef RecurringInfo RemitToRef SalesRepRef SalesTermRef
    ShipAddr ShipDate ShipFromAddr ShipMethodRef ShippingTaxIncludedInTotalTax Tag TaxExemptionRef
    TaxFormNum TaxFormType TemplateRef TotalAmt TotalCostAmount TrackingNum TransactionLocationType
    TxnApprovalInfo TxnDate TxnSource TxnStatus TxnSubType TxnTaxDetail
    """
)
_ITEM = _names(
    """
    Name Sku Description Active SubItem ParentRef Level FullyQualifiedName Taxable SalesTaxIncluded
    PercentBased UnitPrice RatePercent Type PaymentMethodRef IncomeAccountRef PurchaseDesc
    PurchaseTaxIncluded PurchaseCost ExpenseAccountRef COGSAccountRef AssetAccountRef PrefVendorRef
    AvgCost TrackQtyOnHand QtyOnHand QtyOnPurchaseOrder QtyOnSalesOrder ReorderPoint ManPartNum
    SalesTaxCodeRef PurchaseTaxCodeRef InvStartDate BuildPoint PrintGroupedItems SpecialItem
    SpecialItemType ItemGroupDetail ItemAssemblyDetail AbatementRate ReverseChargeRate ServiceType
    ItemCategoryType Source TaxClassificationRef ClassRef DeferredRevenue UQCDisplayText UQCId
    """
)
_JOURNAL = _names(
    """
    DocNumber TxnDate DepartmentRef CurrencyRef ExchangeRate PrivateNote TxnStatus LinkedTxn Line
    TxnTaxDetail TxnSource TransactionLocationType RecurDataRef GlobalTaxCalculation Adjustment
    HomeCurrencyAdjustment EnteredForDate TotalAmt HomeTotalAmt JournalCodeRef JournalEntryEx TaxRateRef
    Tag
    """
)
KNOWN = {
    "Account": _names(
        """
        AccountAlias AccountEx AccountPurposes AccountSubType AccountType AcctNum AcctNumExtn Active
        BankNum Classification CurrencyRef CurrentBalance CurrentBalanceWithSubAccounts Description
        FIName FullyQualifiedName JournalCodeRef Name OnlineBankingEnabled OpeningBalance
        OpeningBalanceDate ParentRef SubAccount TaxAccount TaxCodeRef TxnLocationType
        """
    ),
    "Customer": _names(
        """
        ARAccountRef AcctNum Active AltContactName AlternatePhone Balance BalanceWithJobs BillAddr
        BillWithParent BusinessNumber CCDetail ClientCompanyId ClientEntityId CompanyName ContactName
        CreditLimit CurrencyRef CustomerEx CustomerTypeRef DefaultTaxCodeRef DisplayName FamilyName Fax
        FullyQualifiedName GSTIN GSTRegistrationType GivenName IntuitId IsCISContractor IsProject Job
        JobInfo Level MiddleName Mobile Notes OpenBalanceDate Organization OtherAddr OtherContactInfo
        OverDueBalance ParentRef PaymentMethodRef PreferredDeliveryMethod PriceLevelRef PrimaryEmailAddr
        PrimaryPhone PrimaryTaxIdentifier PrintOnCheckName ResaleNum RootCustomerRef SalesRepRef
        SalesTermRef SecondaryTaxIdentifier ShipAddr Source Suffix TDSEnabled TaxExemptionReasonId
        TaxGroupCodeRef TaxRateRef TaxRegime Taxable Title TotalExpense TotalRevenue UserId
        V4IDPseudonym WebAddr
        """
    ),
    "Invoice": _SALES
    | _names(
        """
        AllowIPNPayment AllowOnlineACHPayment AllowOnlineAffirmPayment AllowOnlineCreditCardPayment
        AllowOnlinePayPalPayment AllowOnlinePayment AutoPayEligible CfdiUse ConvenienceFeeDetail Deposit
        ECloudStatusTimeStamp EInvoiceStatus EnabledSurchargeInfo Exportation FinancingProductType
        GlobalInfo GratuityEnabled InvoiceEx InvoiceLink InvoiceLinkExpiryDate InvoiceLinkSecurityCode
        LessCIS PaymentDetailsMessage SchedulePayEligible ScheduledPaymentId SubscriptionPaymentsSetting
        TxnRetainageDetail callToAction invoiceStatus invoiceStatusLog
        """
    ),
    "Payment": _names(
        """
        ARAccountRef CheckPayment CreditCardPayment CurrencyRef CustomerRef DepartmentRef
        DepositToAccountRef DocNumber ExchangeRate HomeTotalCostAmount Line LinkedTxn PaymentEx
        PaymentExtendedType PaymentMethodRef PaymentRefNum PaymentType PrivateNote ProcessPayment
        ProjectRef RecurDataRef RecurringInfo RemitToRef Tag TaxFormNum TaxFormType TotalAmt
        TotalCostAmount TransactionLocationType TxnApprovalInfo TxnDate TxnSource TxnStatus TxnSubType
        TxnTaxDetail UnappliedAmt
        """
    ),
    "CreditMemo": _SALES
    | _names(
        """
        CreditMemoEx InvoiceRef RemainingCredit
        """
    ),
    "PaymentMethod": _names(
        """
        Active Name PaymentMethodEx Type
        """
    ),
    "Term": _names(
        """
        Active DayOfMonthDue DiscountDayOfMonth DiscountDays DiscountPercent DueDays DueNextMonthDays
        Name SalesTermEx Type
        """
    ),
    "CompanyInfo": _names(
        """
        CompanyAddr CompanyEmailAddr CompanyFileName CompanyInfoEx CompanyName CompanyStartDate
        CompanyURL CompanyUserAdminEmail CompanyUserId Country CustomerCommunicationAddr
        CustomerCommunicationEmailAddr DefaultTimeZone Email EmployerId Fax FifoCalculationStatus
        FiscalYearStartMonth FlavorStratum LastImportedTime LastSyncTime LegalAddr LegalName Mobile
        MultiByteCharsSupported NameValue OtherAddr OtherContactInfo PrimaryPhone QBVersion SampleFile
        ShipAddr SupportedLanguages TaxYearStartMonth WebAddr
        """
    ),
    "Preferences": _names(
        """
        AccountingInfoPrefs AdvancedInventoryPrefs CurrencyPrefs EmailMessagesPrefs FinanceChargesPrefs
        OtherPrefs PrintDocumentPrefs ProductAndServicesPrefs ReportPrefs SalesFormsPrefs TaxPrefs
        TimeTrackingPrefs VendorAndPurchasesPrefs
        """
    ),
    "Item": _ITEM,
    "JournalEntry": _JOURNAL,
}


def check_known(entity: str, body: dict[str, Any]) -> None:
    """
    Check the names of a body's properties.

    :raises faults.Fault: 2010 when QuickBooks does not know one.
    """
    known = KNOWN.get(entity)
    if known is None:
        return
    for name in body:
        if name not in known and name not in _COMMON:
            raise faults.invalid_property(name)
